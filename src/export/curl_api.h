/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions of libcurl that the exporters use.  The library is loaded when
 * the first transport is made, not linked: with all that it needs itself (TLS,
 * Kerberos, LDAP ...) it is two thirds of the time that this program would take
 * to start, and most runs and all of the tests of a build never send anything.
 */
#ifndef CURL_API_H
#define CURL_API_H

#include <curl/curl.h>
#include <stddef.h>

/* name in libcurl is curl_ and this */
#define CURL_API_FUNCTIONS(F) \
	F(global_init) F(global_cleanup) F(version_info) \
	F(slist_append) F(slist_free_all) \
	F(easy_init) F(easy_cleanup) F(easy_setopt) F(easy_getinfo) F(easy_strerror) \
	F(multi_init) F(multi_cleanup) F(multi_setopt) F(multi_add_handle) F(multi_remove_handle) \
	F(multi_perform) F(multi_poll) F(multi_info_read)

struct curl_api {
#define CURL_API_MEMBER(name) __typeof__(curl_##name) *name;
	CURL_API_FUNCTIONS(CURL_API_MEMBER)
#undef CURL_API_MEMBER
};

/* 0, or negative with what to do about it in why. */
int curl_api_load(struct curl_api *out, char *why, size_t whylen);

#endif
