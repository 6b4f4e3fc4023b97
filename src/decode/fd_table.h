/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptor tables and shared strings of the world model.
 *
 * A table is what CLONE_FILES shares.  Its slots live in a body that a fork
 * shares until one side changes it, so a fork costs nothing.  A slot points to
 * an entry, which stands for the kernel's open file description: dup and fork
 * share it, so a connect is seen by all holders.  Memory is counted against one
 * budget; spare entries are kept, so that a loop of open and close does not
 * allocate.
 */
#ifndef DECODE_FD_TABLE_H
#define DECODE_FD_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fd_kind { FD_FILE = 0, FD_SOCKET, FD_PIPE, FD_ANON, FD_DIR };

/* An open file description. */
struct fd_entry {
	char *target;		/* as /proc/PID/fd/N reads, NUL-terminated; see world.h for sockets */
	uint32_t len, cap;
	uint32_t refs;
	uint8_t kind;		/* enum fd_kind */
	uint8_t type;		/* SOCK_* of a socket, flags removed */
	uint16_t family;	/* AF_* of a socket, 0 unknown */
	struct fd_entry *next;	/* spare list */
};

struct fd_slot { struct fd_entry *file; bool cloexec; };
struct fd_body { uint32_t refs, cap, used; struct fd_slot slots[]; };
struct fd_table { struct fd_body *body; uint32_t refs; };

#define FD_SPARES_MAX 64u
struct fd_mem {
	size_t used, max;		/* bytes of tables, names, images */
	uint64_t refused;		/* what did not fit: memory, table size, path length */
	uint32_t max_fds, max_path;
	uint32_t entries;		/* descriptions alive */
	uint32_t nspares;
	struct fd_entry *spares;
};

void *fd_mem_get(struct fd_mem *m, size_t n);	/* zeroed; NULL: over the budget or no memory (counted) */
void fd_mem_put(struct fd_mem *m, void *p, size_t n);
void fd_mem_fini(struct fd_mem *m);		/* frees the spare entries */

/* A string with a hidden reference count: images and working directories. */
char *shared_str_new(struct fd_mem *m, const void *p, size_t n);
/* s, or another one, with this text; in place where nobody shares it.  NULL: no memory. */
char *shared_str_set(struct fd_mem *m, char *s, const void *p, size_t n);
char *shared_str_get(char *s);			/* NULL in, NULL out */
void shared_str_put(struct fd_mem *m, char *s);

/* An empty table, or one that starts as a copy of from. */
struct fd_table *fd_table_new(struct fd_mem *m, const struct fd_table *from);
struct fd_table *fd_table_get(struct fd_table *t);
void fd_table_put(struct fd_mem *m, struct fd_table *t);

/* The description of fd, or NULL. */
struct fd_entry *fd_table_lookup(const struct fd_table *t, int64_t fd);
bool fd_table_cloexec(const struct fd_table *t, int64_t fd);
/* fd is now something new, named by target; what was there is closed. */
struct fd_entry *fd_table_set(struct fd_mem *m, struct fd_table *t, int64_t fd, const void *target,
			      size_t len, uint8_t kind, bool cloexec);
/* to now means the same description as from; an unknown from makes to unknown. */
void fd_table_add_dup(struct fd_mem *m, struct fd_table *t, int64_t from, int64_t to, bool cloexec);
void fd_table_set_cloexec(struct fd_mem *m, struct fd_table *t, uint64_t first, uint64_t last, bool on);
void fd_table_del(struct fd_mem *m, struct fd_table *t, uint64_t first, uint64_t last);
/* exec: what is close-on-exec goes. */
void fd_table_del_cloexec(struct fd_mem *m, struct fd_table *t);

void fd_entry_set_target(struct fd_mem *m, struct fd_entry *e, const void *p, size_t n);
/* What kind of thing a /proc/PID/fd link text names. */
uint8_t fd_kind_of(const char *target, size_t n);

#endif
