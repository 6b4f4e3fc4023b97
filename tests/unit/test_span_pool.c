/* SPDX-License-Identifier: Apache-2.0 */
/* The pool: balanced under random interleavings of one taker and many givers,
 * bounded, and proof against a span that is given back twice. */
#include "config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "span/resource.h"
#include "span/span_pool.h"
#include "unit.h"

static struct span_pool_stats stats_of(struct span_pool *p)
{
	struct span_pool_stats st;

	span_pool_stats(p, &st);
	return st;
}

static void run_limits(bool disabled)
{
	struct span_pool *p;
	struct span *s[13];

	ck_assert_int_eq(span_pool_new(&p, 4, 10, disabled), 0);
	for (int i = 0; i < 10; i++) {
		s[i] = span_pool_get(p);
		ck_assert_ptr_nonnull(s[i]);
		memset(s[i]->text, i, SPAN_TEXT_MAX);
		for (int j = 0; j < i; j++)
			ck_assert_ptr_ne(s[i], s[j]);
	}
	ck_assert_ptr_null(span_pool_get(p));
	ck_assert_uint_eq(stats_of(p).refused, 1);
	ck_assert_uint_eq(stats_of(p).in_use, 10);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(s[i]->text[SPAN_TEXT_MAX - 1], i);	/* nobody wrote into a neighbour */
	for (int i = 0; i < 10; i++)
		span_pool_put(p, s[i]);
	span_pool_put(p, NULL);
	ck_assert_uint_eq(stats_of(p).in_use, 0);
	ck_assert_uint_eq(stats_of(p).gets, 10);
	ck_assert_uint_eq(stats_of(p).puts, 10);
	ck_assert_uint_eq(stats_of(p).high_water, 10);
	if (!disabled) {
		ck_assert_uint_eq(stats_of(p).size, 10);
		ck_assert_uint_eq(stats_of(p).grown, 2);	/* 4, +4, +2 */
	}
	s[0] = span_pool_get(p);
	ck_assert(s[0]->nattrs == 0 && s[0]->used == 0 && !s[0]->resource);
	span_pool_put(p, s[0]);
	span_pool_free(p);
}

START_TEST(limits)
{
	run_limits(false);
}
END_TEST

START_TEST(limits_disabled)
{
	run_limits(true);
}
END_TEST

START_TEST(sizes_are_checked)
{
	struct span_pool *p;

	ck_assert_int_lt(span_pool_new(&p, 0, 10, false), 0);
	ck_assert_int_lt(span_pool_new(&p, 11, 10, false), 0);
	span_pool_free(NULL);
}
END_TEST

START_TEST(double_put_is_refused)
{
	struct span_pool *p;
	struct span *a, *b;

	ck_assert_int_eq(span_pool_new(&p, 4, 4, false), 0);
	a = span_pool_get(p);
	span_pool_put(p, a);
	ck_assert_uint_eq(stats_of(p).bad_puts, 0);
	span_pool_put(p, a);
	ck_assert_uint_eq(stats_of(p).bad_puts, 1);
	ck_assert_uint_eq(stats_of(p).puts, 1);
	/* The list is whole: no span comes out twice. */
	a = span_pool_get(p);
	b = span_pool_get(p);
	ck_assert_ptr_ne(a, b);
	span_pool_put(p, a);
	span_pool_put(p, b);
	span_pool_free(p);
}
END_TEST

START_TEST(put_drops_the_resource)
{
	struct span_pool *p;
	struct resource *r = resource_new(1);
	struct span *s;

	ck_assert_int_eq(span_pool_new(&p, 1, 1, false), 0);
	s = span_pool_get(p);
	s->resource = resource_get(r);
	ck_assert_uint_eq(atomic_load(&r->refs), 2);
	span_pool_put(p, s);
	ck_assert_uint_eq(atomic_load(&r->refs), 1);
	resource_put(r);
	span_pool_free(p);
}
END_TEST

static void run_put_all(bool disabled)
{
	struct resource *r[2] = { resource_new(1), resource_new(2) };
	struct span *spans[6];
	struct span_pool *p;

	ck_assert_int_eq(span_pool_new(&p, 6, 6, disabled), 0);
	for (unsigned i = 0; i < 6; i++) {
		spans[i] = span_pool_get(p);
		spans[i]->resource = resource_get(i < 5 ? r[i == 2] : NULL);
	}
	ck_assert_uint_eq(atomic_load(&r[0]->refs), 5);
	ck_assert_ptr_null(span_pool_get(p));
	span_pool_put_all(p, spans, 6);
	ck_assert_uint_eq(atomic_load(&r[0]->refs), 1);
	ck_assert_uint_eq(atomic_load(&r[1]->refs), 1);
	ck_assert_uint_eq(stats_of(p).in_use, 0);
	ck_assert_uint_eq(stats_of(p).puts, 6);
	span_pool_put_all(p, spans, 0);
	/* all are there again, each once */
	for (unsigned i = 0; i < 6; i++) {
		spans[i] = span_pool_get(p);
		ck_assert_ptr_nonnull(spans[i]);
		for (unsigned k = 0; k < i; k++)
			ck_assert_ptr_ne(spans[i], spans[k]);
	}
	ck_assert_ptr_null(span_pool_get(p));
	span_pool_put_all(p, spans, 6);
	resource_put(r[0]);
	resource_put(r[1]);
	span_pool_free(p);
}

START_TEST(put_all)
{
	run_put_all(false);
	run_put_all(true);
}
END_TEST

START_TEST(put_all_refuses_who_is_not_out)
{
	struct span *spans[3];
	struct span_pool *p;

	ck_assert_int_eq(span_pool_new(&p, 4, 4, false), 0);
	for (unsigned i = 0; i < 2; i++)
		spans[i] = span_pool_get(p);
	spans[2] = spans[0];
	span_pool_put_all(p, spans, 3);
	ck_assert_uint_eq(stats_of(p).bad_puts, 1);
	ck_assert_uint_eq(stats_of(p).puts, 2);
	spans[0] = span_pool_get(p);
	spans[1] = span_pool_get(p);
	ck_assert_ptr_ne(spans[0], spans[1]);
	span_pool_put_all(p, spans, 2);
	span_pool_free(p);
}
END_TEST

/* One taker hands spans to givers through slots; each span carries a stamp
 * that only its owner may change. */
#define GIVERS 3
#define SLOTS 64
#define ROUNDS 60000

struct shared {
	struct span_pool *pool;
	struct resource *res;
	_Atomic(struct span *) slots[SLOTS];
	atomic_bool done;
	atomic_uint bad;
};

static void give_back(struct shared *sh, struct span *s)
{
	if (s->start_ns != ~s->end_ns)
		atomic_fetch_add(&sh->bad, 1);
	s->start_ns = s->end_ns = 7;
	span_pool_put(sh->pool, s);
}

static void *giver(void *arg)
{
	struct shared *sh = arg;
	unsigned long seed = (unsigned long)(uintptr_t)&seed | 1;

	for (;;) {
		bool done = atomic_load(&sh->done), any = false;

		for (unsigned i = 0; i < SLOTS; i++) {
			unsigned k = done ? i : unit_random(&seed) % SLOTS;
			struct span *s = atomic_exchange(&sh->slots[k], NULL);

			if (s)
				give_back(sh, s);
			any |= s != NULL;
		}
		if (done && !any)
			return NULL;
	}
}

static void run_interleaved(uint32_t size, uint32_t max, bool disabled)
{
	struct shared sh = { .res = resource_new(1) };
	pthread_t t[GIVERS];
	unsigned long seed = size;
	uint64_t taken = 0, refused = 0;

	ck_assert_int_eq(span_pool_new(&sh.pool, size, max, disabled), 0);
	for (int i = 0; i < GIVERS; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, giver, &sh), 0);
	for (int i = 0; i < ROUNDS; i++) {
		struct span *s = span_pool_get(sh.pool), *old;

		if (!s) {
			refused++;
			continue;
		}
		taken++;
		s->start_ns = unit_random(&seed);
		s->end_ns = ~s->start_ns;
		s->resource = resource_get(sh.res);
		/* What was there is given back by the taker itself, as a replaced candidate is. */
		old = atomic_exchange(&sh.slots[unit_random(&seed) % SLOTS], s);
		if (old)
			give_back(&sh, old);
	}
	atomic_store(&sh.done, true);
	for (int i = 0; i < GIVERS; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < SLOTS; i++) {
		struct span *s = atomic_exchange(&sh.slots[i], NULL);

		if (s)
			give_back(&sh, s);
	}
	struct span_pool_stats st = stats_of(sh.pool);
	ck_assert_uint_eq(atomic_load(&sh.bad), 0);
	ck_assert_uint_eq(st.gets, taken);
	ck_assert_uint_eq(st.puts, taken);
	ck_assert_uint_eq(st.refused, refused);
	ck_assert_uint_eq(st.bad_puts, 0);
	ck_assert_uint_eq(st.in_use, 0);
	ck_assert_uint_le(st.size, max);
	ck_assert_uint_le(st.high_water, max);
	ck_assert_uint_eq(atomic_load(&sh.res->refs), 1);
	resource_put(sh.res);
	span_pool_free(sh.pool);
}

START_TEST(interleaved_tight)
{
	run_interleaved(8, 16, false);
}
END_TEST

START_TEST(interleaved_roomy)
{
	run_interleaved(256, 1024, false);
}
END_TEST

START_TEST(interleaved_disabled)
{
	run_interleaved(8, 32, true);
}
END_TEST

int main(void)
{
	return unit_run("span_pool", (const TTest *const[]){ limits, limits_disabled, sizes_are_checked,
		double_put_is_refused, put_drops_the_resource, put_all, put_all_refuses_who_is_not_out,
		interleaved_tight, interleaved_roomy,
		interleaved_disabled, NULL });
}
