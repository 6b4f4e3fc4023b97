/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads libcurl (curl_api.h).  Any thread.  The library is never unloaded: TLS
 * libraries leave handlers behind that run at exit.
 */
#include "config.h"
#include "export/curl_api.h"
#include <dlfcn.h>
#include <stdio.h>
#include <tracer/error.h>

struct symbol { const char *name; size_t at; };

static const struct symbol symbols[] = {
#define CURL_API_SYMBOL(f) { "curl_" #f, offsetof(struct curl_api, f) },
	CURL_API_FUNCTIONS(CURL_API_SYMBOL)
#undef CURL_API_SYMBOL
};

int curl_api_load(struct curl_api *out, char *why, size_t whylen)
{
	void *lib = dlopen(LIBCURL_SONAME, RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE);

	if (!lib) {
		snprintf(why, whylen,
			 "sending over the network needs libcurl: %s (Debian: apt-get install libcurl4)", dlerror());
		return -TRACER_ERR_EXPORT;
	}
	for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
		void *f = dlsym(lib, symbols[i].name);

		if (!f) {
			snprintf(why, whylen, "%s is too old: it has no %s; libcurl 7.84 or later is needed",
				 LIBCURL_SONAME, symbols[i].name);
			dlclose(lib);
			return -TRACER_ERR_EXPORT;
		}
		*(void **)(void *)((char *)out + symbols[i].at) = f;
	}
	dlclose(lib);	/* RTLD_NODELETE: it stays */
	return 0;
}
