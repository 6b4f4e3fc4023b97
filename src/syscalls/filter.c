/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The language of -e (filter.h).  A specification is parsed into a copy that
 * replaces the caller's filter only when all of it made sense.  No state
 * outside the caller's struct; any thread.
 */
#include "config.h"
#include "syscalls/filter.h"

#include <errno.h>
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <tracer/error.h>

#include "base/parse.h"
#include "syscalls/syscalls.h"

#define ITEM_MAX 128u
#define ABIS_ALL ((1u << TRACER_ABI_X86_64) | (1u << TRACER_ABI_I386))

struct parser {
	struct filter *f;	/* being built */
	char *why;
	size_t whylen;
};

static int __attribute__((format(printf, 2, 3))) refuse(struct parser *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (p->why && p->whylen)
		vsnprintf(p->why, p->whylen, fmt, ap);
	va_end(ap);
	return -TRACER_ERR_USAGE;
}

/* --- calls */

static void add_call(struct filter *f, int abi, int nr)
{
	f->calls[abi][nr / 64] |= UINT64_C(1) << (nr % 64);
}

/* Adds the calls that match() takes; how many. */
static unsigned add_matching(struct filter *f, unsigned abis,
			     bool (*match)(const struct syscall_desc *d, const void *arg), const void *arg)
{
	unsigned found = 0;

	for (int abi = 0; abi < TRACER_ABIS; abi++)
		for (int nr = 0; (abis & 1u << abi) && nr < syscall_max(abi); nr++) {
			const struct syscall_desc *d = syscall_lookup(abi, nr);

			if (!d || !match(d, arg))
				continue;
			add_call(f, abi, nr);
			found++;
		}
	return found;
}

static bool match_name(const struct syscall_desc *d, const void *arg)
{
	return !strcmp(d->name, arg);
}

static bool match_class(const struct syscall_desc *d, const void *arg)
{
	return (d->classes & *(const uint64_t *)arg) != 0;
}

static bool match_regex(const struct syscall_desc *d, const void *arg)
{
	return regexec(arg, d->name, 0, NULL, 0) == 0;
}

static const struct { const char *name; uint64_t bits; } classes[] = {
#define CLASS(NAME, name) { #name, SYSCALL_CLASS_##NAME },
	SYSCALL_CLASS_LIST(CLASS)
#undef CLASS
	{ "network", SYSCALL_CLASS_NET },
	{ "%stat", SYSCALL_CLASS_STAT | SYSCALL_CLASS_LSTAT | SYSCALL_CLASS_FSTAT },
	{ "%statfs", SYSCALL_CLASS_STATFS | SYSCALL_CLASS_FSTATFS },
};

static uint64_t class_bits(const char *name)
{
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (!strcmp(classes[i].name, name))
			return classes[i].bits;
	return 0;
}

static int refuse_class(struct parser *p, const char *item)
{
	char list[256] = "";
	size_t n = 0;

	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]) && n < sizeof(list); i++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, " %%%s", classes[i].name);
	return refuse(p, "no class of system calls is called '%s'; there are:%s", item, list);
}

static int parse_regex(struct parser *p, unsigned abis, const char *item, bool optional)
{
	char text[ITEM_MAX], error[96];
	size_t n = strlen(item + 1);
	regex_t re;
	unsigned found;
	int r;

	memcpy(text, item + 1, n + 1);
	if (n > 1 && text[n - 1] == '/')
		text[n - 1] = '\0';
	r = regcomp(&re, text, REG_EXTENDED | REG_NOSUB);
	if (r) {
		regerror(r, &re, error, sizeof(error));
		return refuse(p, "'%s' is no regular expression: %s", text, error);
	}
	found = add_matching(p->f, abis, match_regex, &re);
	regfree(&re);
	if (!found && !optional)
		return refuse(p, "no system call matches '%s' (put ? in front if that may be)", item);
	return 0;
}

static int parse_number(struct parser *p, unsigned abis, const char *item)
{
	uint64_t nr;

	if (parse_u64(item, 0, FILTER_CALLS_MAX - 1, &nr) < 0)
		return refuse(p, "system call numbers go from 0 to %u: '%s'", FILTER_CALLS_MAX - 1, item);
	for (int abi = 0; abi < TRACER_ABIS; abi++)
		if (abis & 1u << abi)
			add_call(p->f, abi, (int)nr);
	return 0;
}

static int parse_name(struct parser *p, unsigned abis, const char *item, bool optional)
{
	/* Words that strace takes as classes without the % sign. */
	static const char *const bare[] = { "file", "process", "network", "signal", "ipc", "desc", "memory" };
	const char *near;

	for (size_t i = 0; i < sizeof(bare) / sizeof(bare[0]); i++)
		if (!strcmp(item, bare[i])) {
			uint64_t bits = class_bits(item);

			add_matching(p->f, abis, match_class, &bits);
			return 0;
		}
	if (add_matching(p->f, abis, match_name, item) || optional)
		return 0;
	if (add_matching(&(struct filter){ 0 }, ABIS_ALL, match_name, item))
		return refuse(p, "the system call '%s' does not exist in that ABI", item);
	near = syscall_nearest(item);
	if (near)
		return refuse(p, "no system call is called '%s'; did you mean '%s'?", item, near);
	return refuse(p, "no system call is called '%s' (put ? in front if it may be unknown)", item);
}

/* Cuts @64 or @32 off. */
static int parse_abi(struct parser *p, char *item, unsigned *abis)
{
	char *at = strrchr(item, '@');

	*abis = ABIS_ALL;
	if (!at)
		return 0;
	if (!strcmp(at, "@64"))
		*abis = 1u << TRACER_ABI_X86_64;
	else if (!strcmp(at, "@32"))
		*abis = 1u << TRACER_ABI_I386;
	else
		return refuse(p, "behind the @ of '%s' there may be 64 or 32", item);
	*at = '\0';
	return 0;
}

static int parse_call(struct parser *p, char *item)
{
	bool optional = false;
	uint64_t bits;
	unsigned abis;
	int r;

	for (; *item == '?'; item++)
		optional = true;
	r = parse_abi(p, item, &abis);
	if (r < 0)
		return r;
	if (*item == '/')
		return parse_regex(p, abis, item, optional);
	if (*item >= '0' && *item <= '9')
		return parse_number(p, abis, item);
	if (*item != '%')
		return parse_name(p, abis, item, optional);
	bits = class_bits(item + 1);
	if (!bits && !optional)
		return refuse_class(p, item);
	add_matching(p->f, abis, match_class, &bits);
	return 0;
}

/* --- lists */

/* Runs parse for each item between commas. */
static int each_item(struct parser *p, const char *list, int (*parse)(struct parser *p, char *item))
{
	char item[ITEM_MAX];
	int r = 0;

	while (r >= 0) {
		size_t n = strcspn(list, ",");

		if (n == 0)
			return refuse(p, "an item is missing: write names with single commas between them");
		if (n >= sizeof(item))
			return refuse(p, "an item is longer than %u letters", ITEM_MAX - 1);
		memcpy(item, list, n);
		item[n] = '\0';
		r = parse(p, item);
		if (!list[n])
			break;
		list += n + 1;
	}
	return r;
}

static int parse_trace(struct parser *p, const char *list)
{
	bool but = *list == '!';
	uint64_t *words = p->f->calls[0];
	int r;

	list += but;
	memset(p->f->calls, 0, sizeof(p->f->calls));
	p->f->all = !strcmp(list, "all") != but && (!strcmp(list, "all") || !strcmp(list, "none"));
	if (!strcmp(list, "all") || !strcmp(list, "none")) {
		memset(p->f->calls, p->f->all ? 0xff : 0, sizeof(p->f->calls));
		return 0;
	}
	r = each_item(p, list, parse_call);
	for (size_t i = 0; but && i < sizeof(p->f->calls) / sizeof(uint64_t); i++)
		words[i] = ~words[i];
	return r;
}

/* --- statuses, descriptors, signals */

static int parse_one_status(struct parser *p, char *item)
{
	static const char *const names[FILTER_STATUSES] = {
		"successful", "failed", "unfinished", "unavailable", "detached"
	};

	for (int i = 0; i < FILTER_STATUSES; i++)
		if (!strcmp(item, names[i])) {
			p->f->statuses |= (uint8_t)(1u << i);
			return 0;
		}
	return refuse(p, "'%s' is no status; there are: successful failed unfinished unavailable detached",
		      item);
}

static int parse_one_fd(struct parser *p, char *item)
{
	uint64_t fd;

	if (parse_u64(item, 0, INT32_MAX, &fd) < 0)
		return refuse(p, "'%s' is no file descriptor", item);
	if (p->f->nfds == FILTER_FDS_MAX)
		return refuse(p, "at most %u file descriptors can be selected", FILTER_FDS_MAX);
	p->f->fds[p->f->nfds++] = (int32_t)fd;
	return 0;
}

static int parse_one_signal(struct parser *p, char *item)
{
	uint64_t n;
	int sig = signal_number(item);

	if (sig < 0 && parse_u64(item, 1, FILTER_SIGNALS_MAX - 1, &n) == 0)
		sig = (int)n;
	if (sig < 0)
		return refuse(p, "'%s' is no signal (SIGTERM, term and 15 would be)", item);
	p->f->signals[sig / 64] |= UINT64_C(1) << (sig % 64);
	return 0;
}

/* all and none are handled alike for all three: *none says which it was. */
static bool whole_set(const char *list, bool *none)
{
	bool but = *list == '!';

	list += but;
	*none = !strcmp(list, "none") != but;
	return !strcmp(list, "all") || !strcmp(list, "none");
}

static int parse_status(struct parser *p, const char *list)
{
	bool none;
	int r;

	p->f->statuses = 0;
	if (whole_set(list, &none)) {
		p->f->statuses = none ? 0 : (1u << FILTER_STATUSES) - 1;
		return 0;
	}
	r = each_item(p, list + (*list == '!'), parse_one_status);
	if (*list == '!')
		p->f->statuses ^= (1u << FILTER_STATUSES) - 1;
	return r;
}

static int parse_fd(struct parser *p, const char *list)
{
	bool none;

	p->f->nfds = 0;
	p->f->fds_set = true;
	if (whole_set(list, &none)) {
		p->f->fds_but = false;
		p->f->fds_set = none;
		return 0;
	}
	p->f->fds_but = *list == '!';
	return each_item(p, list + p->f->fds_but, parse_one_fd);
}

static int parse_signal(struct parser *p, const char *list)
{
	bool none;
	int r;

	memset(p->f->signals, 0, sizeof(p->f->signals));
	if (whole_set(list, &none)) {
		memset(p->f->signals, none ? 0 : 0xff, sizeof(p->f->signals));
		return 0;
	}
	r = each_item(p, list + (*list == '!'), parse_one_signal);
	for (int i = 0; *list == '!' && i < 2; i++)
		p->f->signals[i] = ~p->f->signals[i];
	return r;
}

/* --- the whole */

static const struct { const char *name; int (*parse)(struct parser *p, const char *list); } qualifiers[] = {
	{ "trace", parse_trace }, { "t", parse_trace },
	{ "status", parse_status },
	{ "fd", parse_fd }, { "fds", parse_fd },
	{ "signal", parse_signal }, { "signals", parse_signal }, { "s", parse_signal },
};

static int parse_spec(struct parser *p, const char *spec)
{
	size_t n = strcspn(spec, "=");

	if (!spec[n])
		return parse_trace(p, spec);
	for (size_t i = 0; i < sizeof(qualifiers) / sizeof(qualifiers[0]); i++)
		if (strlen(qualifiers[i].name) == n && !strncmp(spec, qualifiers[i].name, n))
			return qualifiers[i].parse(p, spec + n + 1);
	return refuse(p, "-e knows no '%.*s='; there are: trace= status= fd= signal=", (int)(n > 64 ? 64 : n),
		      spec);
}

void filter_init(struct filter *f)
{
	memset(f, 0, sizeof(*f));
	f->all = true;
	f->statuses = (1u << FILTER_STATUSES) - 1;
	memset(f->calls, 0xff, sizeof(f->calls));
	memset(f->signals, 0xff, sizeof(f->signals));
}

int filter_parse(struct filter *f, const char *spec, char *why, size_t whylen)
{
	struct filter copy = *f;
	struct parser p = { &copy, why, whylen };
	int r = parse_spec(&p, spec);

	if (r < 0)
		return r;
	*f = copy;
	return 0;
}

bool filter_wants(const struct filter *f, int abi, int nr)
{
	if (f->all || abi < 0 || abi >= TRACER_ABIS || nr < 0 || nr >= (int)FILTER_CALLS_MAX)
		return f->all;
	return f->calls[abi][nr / 64] >> (nr % 64) & 1;
}

bool filter_wants_status(const struct filter *f, enum filter_status s)
{
	return f->statuses >> s & 1;
}

bool filter_wants_signal(const struct filter *f, int sig)
{
	return sig > 0 && sig < (int)FILTER_SIGNALS_MAX && (f->signals[sig / 64] >> (sig % 64) & 1);
}

bool filter_wants_fd(const struct filter *f, int fd)
{
	if (!f->fds_set)
		return true;
	for (unsigned i = 0; i < f->nfds; i++)
		if (f->fds[i] == fd)
			return !f->fds_but;
	return f->fds_but && fd >= 0;
}
