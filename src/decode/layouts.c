/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layouts of kernel structures: data only.  Places are those of the x86-64
 * and the i386 ABI.  Sources: the uapi headers named at each group, and
 * arch/x86/include/asm/compat.h for i386.
 */
#include "config.h"
#include "decode/fields.h"

/* W: i-th word of a structure of words.  S: same place in both ABIs.  B: places differ. */
#define W(name, type, i) { name, type, 0, 8 * (i), 8, 4 * (i), 4, NULL }
#define WF(name, type, i, flags) { name, type, flags, 8 * (i), 8, 4 * (i), 4, NULL }
#define S(name, type, off, size) { name, type, 0, off, size, off, size, NULL }
#define SF(name, type, off, size, flags) { name, type, flags, off, size, off, size, NULL }
#define SX(name, type, off, size, arg) { name, type, 0, off, size, off, size, &(arg) }
#define B(name, type, o64, s64, o32, s32) { name, type, 0, o64, s64, o32, s32, NULL }
#define BF(name, type, o64, s64, o32, s32, flags) { name, type, flags, o64, s64, o32, s32, NULL }
#define BX(name, type, o64, s64, o32, s32, arg) { name, type, 0, o64, s64, o32, s32, &(arg) }
#define V FIELD_VERBOSE
#define COUNT(f) (sizeof(f) / sizeof((f)[0]))
#define LAYOUT(name, size64, size32) \
	const struct layout layout_##name = { fields_##name, COUNT(fields_##name), size64, size32, 0 }
#define STATIC_LAYOUT(name, size64, size32) static LAYOUT(name, size64, size32)
#define ARRAY_LAYOUT(name, size64, size32) \
	static const struct layout layout_##name = { fields_##name, COUNT(fields_##name), size64, size32, 1 }

/* --- linux/time_types.h, linux/time.h --- */
static const struct field fields_timespec[] = { W("tv_sec", FT_INT, 0), W("tv_nsec", FT_INT, 1) };
LAYOUT(timespec, 16, 8);
static const struct field fields_timespec64[] = { S("tv_sec", FT_INT, 0, 8), S("tv_nsec", FT_INT, 8, 8) };
LAYOUT(timespec64, 16, 16);
static const struct field fields_timeval[] = { W("tv_sec", FT_INT, 0), W("tv_usec", FT_INT, 1) };
LAYOUT(timeval, 16, 8);
static const struct field fields_itimerval[] = {
	BX("it_interval", FT_LAYOUT, 0, 16, 0, 8, layout_timeval),
	BX("it_value", FT_LAYOUT, 16, 16, 8, 8, layout_timeval),
};
STATIC_LAYOUT(itimerval, 32, 16);
static const struct field fields_itimerspec[] = {
	BX("it_interval", FT_LAYOUT, 0, 16, 0, 8, layout_timespec),
	BX("it_value", FT_LAYOUT, 16, 16, 8, 8, layout_timespec),
};
STATIC_LAYOUT(itimerspec, 32, 16);
static const struct field fields_itimerspec64[] = {
	SX("it_interval", FT_LAYOUT, 0, 16, layout_timespec64),
	SX("it_value", FT_LAYOUT, 16, 16, layout_timespec64),
};
STATIC_LAYOUT(itimerspec64, 32, 32);
static const struct field fields_utimbuf[] = { W("actime", FT_INT, 0), W("modtime", FT_INT, 1) };
STATIC_LAYOUT(utimbuf, 16, 8);
static const struct field fields_timezone[] = {
	S("tz_minuteswest", FT_INT, 0, 4), S("tz_dsttime", FT_INT, 4, 4),
};
STATIC_LAYOUT(timezone, 8, 8);
static const struct field fields_tms[] = {
	W("tms_utime", FT_INT, 0), W("tms_stime", FT_INT, 1), W("tms_cutime", FT_INT, 2), W("tms_cstime", FT_INT, 3),
};
STATIC_LAYOUT(tms, 32, 16);
/* linux/timex.h */
static const struct field fields_timex[] = {
	S("modes", FT_HEX, 0, 4), B("offset", FT_INT, 8, 8, 4, 4), B("freq", FT_INT, 16, 8, 8, 4),
	B("maxerror", FT_INT, 24, 8, 12, 4), B("esterror", FT_INT, 32, 8, 16, 4), B("status", FT_HEX, 40, 4, 20, 4),
	B("constant", FT_INT, 48, 8, 24, 4), B("precision", FT_INT, 56, 8, 28, 4),
	B("tolerance", FT_INT, 64, 8, 32, 4), BX("time", FT_LAYOUT, 72, 16, 36, 8, layout_timeval),
	B("tick", FT_INT, 88, 8, 44, 4),
};
STATIC_LAYOUT(timex, 208, 128);
static const struct field fields_timex64[] = {
	S("modes", FT_HEX, 0, 4), S("offset", FT_INT, 8, 8), S("freq", FT_INT, 16, 8), S("maxerror", FT_INT, 24, 8),
	S("esterror", FT_INT, 32, 8), S("status", FT_HEX, 40, 4), S("constant", FT_INT, 48, 8),
	S("precision", FT_INT, 56, 8), S("tolerance", FT_INT, 64, 8), S("tick", FT_INT, 88, 8),
};
STATIC_LAYOUT(timex64, 208, 208);

/* --- asm/stat.h, linux/stat.h --- */
#define STAT_HEAD \
	BF("st_dev", FT_DEV, 0, 8, 0, 4, V), BF("st_ino", FT_UINT, 8, 8, 4, 4, V), \
	B("st_mode", FT_MODE, 24, 4, 8, 2), BF("st_nlink", FT_UINT, 16, 8, 10, 2, V), \
	BF("st_uid", FT_UINT, 28, 4, 12, 2, V), BF("st_gid", FT_UINT, 32, 4, 14, 2, V), \
	BF("st_blksize", FT_UINT, 56, 8, 24, 4, V), BF("st_blocks", FT_UINT, 64, 8, 28, 4, V)
#define STAT_TAIL \
	BF("st_atime", FT_INT, 72, 8, 32, 4, V), BF("st_atime_nsec", FT_UINT, 80, 8, 36, 4, V), \
	BF("st_mtime", FT_INT, 88, 8, 40, 4, V), BF("st_mtime_nsec", FT_UINT, 96, 8, 44, 4, V), \
	BF("st_ctime", FT_INT, 104, 8, 48, 4, V), BF("st_ctime_nsec", FT_UINT, 112, 8, 52, 4, V)
static const struct field fields_stat[] = { STAT_HEAD, B("st_size", FT_INT, 48, 8, 20, 4), STAT_TAIL };
LAYOUT(stat, 144, 64);
static const struct field fields_stat_dev[] = { STAT_HEAD, B("st_rdev", FT_DEV, 40, 8, 16, 4), STAT_TAIL };
LAYOUT(stat_dev, 144, 64);
/* In a 64-bit ABI stat64 is stat. */
#define STAT64_HEAD \
	BF("st_dev", FT_DEV, 0, 8, 0, 8, V), BF("st_ino", FT_UINT, 8, 8, 88, 8, V), \
	B("st_mode", FT_MODE, 24, 4, 16, 4), BF("st_nlink", FT_UINT, 16, 8, 20, 4, V), \
	BF("st_uid", FT_UINT, 28, 4, 24, 4, V), BF("st_gid", FT_UINT, 32, 4, 28, 4, V), \
	BF("st_blksize", FT_UINT, 56, 8, 52, 4, V), BF("st_blocks", FT_UINT, 64, 8, 56, 8, V)
#define STAT64_TAIL \
	BF("st_atime", FT_INT, 72, 8, 64, 4, V), BF("st_atime_nsec", FT_UINT, 80, 8, 68, 4, V), \
	BF("st_mtime", FT_INT, 88, 8, 72, 4, V), BF("st_mtime_nsec", FT_UINT, 96, 8, 76, 4, V), \
	BF("st_ctime", FT_INT, 104, 8, 80, 4, V), BF("st_ctime_nsec", FT_UINT, 112, 8, 84, 4, V)
static const struct field fields_stat64[] = { STAT64_HEAD, B("st_size", FT_INT, 48, 8, 44, 8), STAT64_TAIL };
LAYOUT(stat64, 144, 96);
static const struct field fields_stat64_dev[] = { STAT64_HEAD, B("st_rdev", FT_DEV, 40, 8, 32, 8), STAT64_TAIL };
LAYOUT(stat64_dev, 144, 96);
static const struct field fields_oldstat[] = {
	SF("st_dev", FT_DEV, 0, 2, V), SF("st_ino", FT_UINT, 2, 2, V), S("st_mode", FT_MODE, 4, 2),
	SF("st_nlink", FT_UINT, 6, 2, V), SF("st_uid", FT_UINT, 8, 2, V), SF("st_gid", FT_UINT, 10, 2, V),
	S("st_size", FT_UINT, 16, 4),
};
STATIC_LAYOUT(oldstat, 32, 32);
static const struct field fields_statx_time[] = { S("tv_sec", FT_INT, 0, 8), S("tv_nsec", FT_UINT, 8, 4) };
STATIC_LAYOUT(statx_time, 16, 16);
#define STATX_TIME(name, off) { name, FT_LAYOUT, V, off, 16, off, 16, &layout_statx_time }
static const struct field fields_statx[] = {
	SX("stx_mask", FT_FLAGS, 0, 4, xlat_statx_mask), SF("stx_blksize", FT_UINT, 4, 4, V),
	SX("stx_attributes", FT_FLAGS, 8, 8, xlat_statx_attributes), SF("stx_nlink", FT_UINT, 16, 4, V),
	SF("stx_uid", FT_UINT, 20, 4, V), SF("stx_gid", FT_UINT, 24, 4, V), S("stx_mode", FT_MODE, 28, 2),
	SF("stx_ino", FT_UINT, 32, 8, V), S("stx_size", FT_UINT, 40, 8), SF("stx_blocks", FT_UINT, 48, 8, V),
	{ "stx_attributes_mask", FT_FLAGS, V, 56, 8, 56, 8, &xlat_statx_attributes },
	STATX_TIME("stx_atime", 64), STATX_TIME("stx_btime", 80), STATX_TIME("stx_ctime", 96),
	STATX_TIME("stx_mtime", 112), SF("stx_rdev_major", FT_UINT, 128, 4, V),
	SF("stx_rdev_minor", FT_UINT, 132, 4, V), SF("stx_dev_major", FT_UINT, 136, 4, V),
	SF("stx_dev_minor", FT_UINT, 140, 4, V), SF("stx_mnt_id", FT_HEX, 144, 8, V),
};
STATIC_LAYOUT(statx, 256, 256);

/* --- asm/statfs.h --- */
static const struct field fields_fsid[] = { { "val", FT_HEXES, 4, 0, 8, 0, 8, NULL } };
STATIC_LAYOUT(fsid, 8, 8);
static const struct field fields_statfs[] = {
	BX("f_type", FT_ENUM, 0, 8, 0, 4, xlat_statfs_type), W("f_bsize", FT_UINT, 1), W("f_blocks", FT_UINT, 2),
	W("f_bfree", FT_UINT, 3), W("f_bavail", FT_UINT, 4), W("f_files", FT_UINT, 5), W("f_ffree", FT_UINT, 6),
	BX("f_fsid", FT_LAYOUT, 56, 8, 28, 8, layout_fsid), B("f_namelen", FT_UINT, 64, 8, 36, 4),
	B("f_frsize", FT_UINT, 72, 8, 40, 4), BX("f_flags", FT_FLAGS, 80, 8, 44, 4, xlat_statfs_flags),
};
STATIC_LAYOUT(statfs, 120, 64);
static const struct field fields_statfs64[] = {
	BX("f_type", FT_ENUM, 0, 8, 0, 4, xlat_statfs_type), B("f_bsize", FT_UINT, 8, 8, 4, 4),
	B("f_blocks", FT_UINT, 16, 8, 8, 8), B("f_bfree", FT_UINT, 24, 8, 16, 8), B("f_bavail", FT_UINT, 32, 8, 24, 8),
	B("f_files", FT_UINT, 40, 8, 32, 8), B("f_ffree", FT_UINT, 48, 8, 40, 8),
	BX("f_fsid", FT_LAYOUT, 56, 8, 48, 8, layout_fsid), B("f_namelen", FT_UINT, 64, 8, 56, 4),
	B("f_frsize", FT_UINT, 72, 8, 60, 4), BX("f_flags", FT_FLAGS, 80, 8, 64, 4, xlat_statfs_flags),
};
STATIC_LAYOUT(statfs64, 120, 84);
static const struct field fields_ustat[] = {
	B("f_tfree", FT_UINT, 0, 4, 0, 4), B("f_tinode", FT_UINT, 8, 8, 4, 4),
};
STATIC_LAYOUT(ustat, 32, 20);

/* --- linux/openat2.h, fcntl.h, fs.h, mount.h, mman.h --- */
static const struct field fields_open_how[] = {
	SX("flags", FT_FLAGS, 0, 8, xlat_open_flags), SF("mode", FT_OCT, 8, 8, FIELD_NOT_ZERO),
	SX("resolve", FT_FLAGS, 16, 8, xlat_resolve_flags),
};
STATIC_LAYOUT(open_how, 24, 24);
static const struct field fields_flock[] = {
	SX("l_type", FT_ENUM, 0, 2, xlat_flock_type), SX("l_whence", FT_ENUM, 2, 2, xlat_whence),
	B("l_start", FT_INT, 8, 8, 4, 4), B("l_len", FT_INT, 16, 8, 8, 4), B("l_pid", FT_INT, 24, 4, 12, 4),
};
LAYOUT(flock, 32, 16);
static const struct field fields_flock64[] = {
	SX("l_type", FT_ENUM, 0, 2, xlat_flock_type), SX("l_whence", FT_ENUM, 2, 2, xlat_whence),
	B("l_start", FT_INT, 8, 8, 4, 8), B("l_len", FT_INT, 16, 8, 12, 8), B("l_pid", FT_INT, 24, 4, 20, 4),
};
LAYOUT(flock64, 32, 24);
static const struct field fields_file_handle[] = {
	S("handle_bytes", FT_UINT, 0, 4), S("handle_type", FT_HEX, 4, 4),
};
STATIC_LAYOUT(file_handle, 8, 8);
static const struct field fields_file_attr[] = {
	S("fa_xflags", FT_HEX, 0, 8), S("fa_extsize", FT_UINT, 8, 4), S("fa_nextents", FT_UINT, 12, 4),
	S("fa_projid", FT_UINT, 16, 4), S("fa_cowextsize", FT_UINT, 20, 4),
};
STATIC_LAYOUT(file_attr, 24, 24);
static const struct field fields_xattr_args[] = {
	S("value", FT_PTR, 0, 8), S("size", FT_UINT, 8, 4), S("flags", FT_HEX, 12, 4),
};
STATIC_LAYOUT(xattr_args, 16, 16);
static const struct field fields_mount_attr[] = {
	SX("attr_set", FT_FLAGS, 0, 8, xlat_mount_attr_flags), SX("attr_clr", FT_FLAGS, 8, 8, xlat_mount_attr_flags),
	SX("propagation", FT_FLAGS, 16, 8, xlat_mount_flags), S("userns_fd", FT_FD, 24, 8),
};
STATIC_LAYOUT(mount_attr, 32, 32);
static const struct field fields_mnt_id_req[] = {
	S("size", FT_UINT, 0, 4), S("mnt_id", FT_HEX, 8, 8), S("param", FT_HEX, 16, 8), S("mnt_ns_id", FT_HEX, 24, 8),
};
STATIC_LAYOUT(mnt_id_req, 32, 32);
static const struct field fields_cachestat_range[] = { S("off", FT_UINT, 0, 8), S("len", FT_UINT, 8, 8) };
STATIC_LAYOUT(cachestat_range, 16, 16);
static const struct field fields_cachestat[] = {
	S("nr_cache", FT_UINT, 0, 8), S("nr_dirty", FT_UINT, 8, 8), S("nr_writeback", FT_UINT, 16, 8),
	S("nr_evicted", FT_UINT, 24, 8), S("nr_recently_evicted", FT_UINT, 32, 8),
};
STATIC_LAYOUT(cachestat, 40, 40);

/* --- linux/resource.h, sched/types.h, signal.h, capability.h, asm/ldt.h --- */
static const struct field fields_rusage[] = {
	BX("ru_utime", FT_LAYOUT, 0, 16, 0, 8, layout_timeval), BX("ru_stime", FT_LAYOUT, 16, 16, 8, 8, layout_timeval),
	WF("ru_maxrss", FT_UINT, 4, V), WF("ru_ixrss", FT_UINT, 5, V), WF("ru_idrss", FT_UINT, 6, V),
	WF("ru_isrss", FT_UINT, 7, V), WF("ru_minflt", FT_UINT, 8, V), WF("ru_majflt", FT_UINT, 9, V),
	WF("ru_nswap", FT_UINT, 10, V), WF("ru_inblock", FT_UINT, 11, V), WF("ru_oublock", FT_UINT, 12, V),
	WF("ru_msgsnd", FT_UINT, 13, V), WF("ru_msgrcv", FT_UINT, 14, V), WF("ru_nsignals", FT_UINT, 15, V),
	WF("ru_nvcsw", FT_UINT, 16, V), WF("ru_nivcsw", FT_UINT, 17, V),
};
STATIC_LAYOUT(rusage, 144, 72);
static const struct field fields_rlimit[] = { W("rlim_cur", FT_RLIM, 0), W("rlim_max", FT_RLIM, 1) };
STATIC_LAYOUT(rlimit, 16, 8);
static const struct field fields_rlimit64[] = { S("rlim_cur", FT_RLIM, 0, 8), S("rlim_max", FT_RLIM, 8, 8) };
STATIC_LAYOUT(rlimit64, 16, 16);
static const struct field fields_sched_attr[] = {
	S("size", FT_UINT, 0, 4), SX("sched_policy", FT_ENUM, 4, 4, xlat_sched_policy), S("sched_flags", FT_HEX, 8, 8),
	S("sched_nice", FT_INT, 16, 4), S("sched_priority", FT_UINT, 20, 4), S("sched_runtime", FT_UINT, 24, 8),
	S("sched_deadline", FT_UINT, 32, 8), S("sched_period", FT_UINT, 40, 8),
	SF("sched_util_min", FT_UINT, 48, 4, FIELD_NOT_ZERO), SF("sched_util_max", FT_UINT, 52, 4, FIELD_NOT_ZERO),
};
STATIC_LAYOUT(sched_attr, 56, 56);
static const struct field fields_stack[] = {
	W("ss_sp", FT_PTR, 0), BX("ss_flags", FT_FLAGS, 8, 4, 4, 4, xlat_sigaltstack_flags), W("ss_size", FT_UINT, 2),
};
STATIC_LAYOUT(stack, 24, 12);
static const struct field fields_sigevent[] = {
	W("sigev_value", FT_HEX, 0), B("sigev_signo", FT_SIGNAL, 8, 4, 4, 4),
	BX("sigev_notify", FT_ENUM, 12, 4, 8, 4, xlat_sigev_notify),
};
STATIC_LAYOUT(sigevent, 64, 64);
static const struct field fields_cap_data[] = {
	S("effective", FT_HEX, 0, 4), S("permitted", FT_HEX, 4, 4), S("inheritable", FT_HEX, 8, 4),
	SF("effective_hi", FT_HEX, 12, 4, FIELD_NOT_ZERO), SF("permitted_hi", FT_HEX, 16, 4, FIELD_NOT_ZERO),
	SF("inheritable_hi", FT_HEX, 20, 4, FIELD_NOT_ZERO),
};
STATIC_LAYOUT(cap_data, 24, 24);
static const struct field fields_user_desc[] = {
	S("entry_number", FT_INT, 0, 4), S("base_addr", FT_HEX, 4, 4), S("limit", FT_HEX, 8, 4), S("flags", FT_HEX, 12, 4),
};
STATIC_LAYOUT(user_desc, 16, 16);
static const struct field fields_futex_waitv[] = {
	S("val", FT_HEX, 0, 8), S("uaddr", FT_PTR, 8, 8), SX("flags", FT_FLAGS, 16, 4, xlat_futex2_flags),
};
ARRAY_LAYOUT(futex_waitv, 24, 24);

/* --- linux/utsname.h, sysinfo.h, io_uring.h, aio_abi.h, perf_event.h, mqueue.h, sem.h --- */
static const struct field fields_utsname[] = {
	S("sysname", FT_STR, 0, 65), S("nodename", FT_STR, 65, 65), SF("release", FT_STR, 130, 65, V),
	SF("version", FT_STR, 195, 65, V), SF("machine", FT_STR, 260, 65, V), SF("domainname", FT_STR, 325, 65, V),
};
STATIC_LAYOUT(utsname, 390, 390);
static const struct field fields_sysinfo[] = {
	W("uptime", FT_INT, 0),
	{ "loads", FT_UINTS, 0, 8, 24, 4, 12, NULL },
	W("totalram", FT_UINT, 4), W("freeram", FT_UINT, 5), W("sharedram", FT_UINT, 6), W("bufferram", FT_UINT, 7),
	W("totalswap", FT_UINT, 8), W("freeswap", FT_UINT, 9), B("procs", FT_UINT, 80, 2, 40, 2),
	W("totalhigh", FT_UINT, 11), W("freehigh", FT_UINT, 12), B("mem_unit", FT_UINT, 104, 4, 52, 4),
};
STATIC_LAYOUT(sysinfo, 112, 64);
static const struct field fields_io_events[] = {
	S("data", FT_HEX, 0, 8), S("obj", FT_HEX, 8, 8), S("res", FT_INT, 16, 8), S("res2", FT_INT, 24, 8),
};
ARRAY_LAYOUT(io_events, 32, 32);
static const struct field fields_io_uring_params[] = {
	S("sq_entries", FT_UINT, 0, 4), S("cq_entries", FT_UINT, 4, 4), S("flags", FT_HEX, 8, 4),
	S("sq_thread_cpu", FT_UINT, 12, 4), S("sq_thread_idle", FT_UINT, 16, 4), S("features", FT_HEX, 20, 4),
	S("wq_fd", FT_UINT, 24, 4),
};
STATIC_LAYOUT(io_uring_params, 120, 120);
static const struct field fields_perf_attr[] = {
	S("type", FT_HEX, 0, 4), S("size", FT_UINT, 4, 4), S("config", FT_HEX, 8, 8), S("sample_period", FT_UINT, 16, 8),
	S("sample_type", FT_HEX, 24, 8), S("read_format", FT_HEX, 32, 8), S("flags", FT_HEX, 40, 8),
	SF("end", FT_UINT, 64, 4, V),
};
STATIC_LAYOUT(perf_attr, 64, 64);
static const struct field fields_mq_attr[] = {
	BX("mq_flags", FT_FLAGS, 0, 8, 0, 4, xlat_open_flags), W("mq_maxmsg", FT_INT, 1), W("mq_msgsize", FT_INT, 2),
	W("mq_curmsgs", FT_INT, 3),
};
STATIC_LAYOUT(mq_attr, 64, 32);
static const struct field fields_sembufs[] = {
	S("sem_num", FT_UINT, 0, 2), S("sem_op", FT_INT, 2, 2), SX("sem_flg", FT_FLAGS, 4, 2, xlat_sem_flags),
};
ARRAY_LAYOUT(sembufs, 6, 6);
/* asm-generic/termios.h */
static const struct field fields_winsize[] = {
	S("ws_row", FT_UINT, 0, 2), S("ws_col", FT_UINT, 2, 2), S("ws_xpixel", FT_UINT, 4, 2), S("ws_ypixel", FT_UINT, 6, 2),
};
LAYOUT(winsize, 8, 8);

static const struct layout *const layouts[ARG_KINDS] = {
	[ARG_TIMESPEC] = &layout_timespec,
	[ARG_TIMESPEC64] = &layout_timespec64,
	[ARG_TIMEVAL] = &layout_timeval,
	[ARG_ITIMERVAL] = &layout_itimerval,
	[ARG_ITIMERSPEC] = &layout_itimerspec,
	[ARG_ITIMERSPEC64] = &layout_itimerspec64,
	[ARG_UTIMBUF] = &layout_utimbuf,
	[ARG_TIMEZONE] = &layout_timezone,
	[ARG_TMS] = &layout_tms,
	[ARG_TIMEX] = &layout_timex,
	[ARG_TIMEX64] = &layout_timex64,
	[ARG_OLDSTAT] = &layout_oldstat,
	[ARG_STATX] = &layout_statx,
	[ARG_STATFS] = &layout_statfs,
	[ARG_STATFS64] = &layout_statfs64,
	[ARG_USTAT] = &layout_ustat,
	[ARG_OPEN_HOW] = &layout_open_how,
	[ARG_FLOCK] = &layout_flock,
	[ARG_FILE_HANDLE] = &layout_file_handle,
	[ARG_FILE_ATTR] = &layout_file_attr,
	[ARG_XATTR_ARGS] = &layout_xattr_args,
	[ARG_MOUNT_ATTR] = &layout_mount_attr,
	[ARG_MNT_ID_REQ] = &layout_mnt_id_req,
	[ARG_CACHESTAT_RANGE] = &layout_cachestat_range,
	[ARG_CACHESTAT] = &layout_cachestat,
	[ARG_RUSAGE] = &layout_rusage,
	[ARG_RLIMIT] = &layout_rlimit,
	[ARG_RLIMIT64] = &layout_rlimit64,
	[ARG_SCHED_ATTR] = &layout_sched_attr,
	[ARG_STACK] = &layout_stack,
	[ARG_SIGEVENT] = &layout_sigevent,
	[ARG_CAP_DATA] = &layout_cap_data,
	[ARG_USER_DESC] = &layout_user_desc,
	[ARG_FUTEX_WAITV] = &layout_futex_waitv,
	[ARG_UTSNAME] = &layout_utsname,
	[ARG_SYSINFO] = &layout_sysinfo,
	[ARG_IO_EVENTS] = &layout_io_events,
	[ARG_IO_URING_PARAMS] = &layout_io_uring_params,
	[ARG_PERF_ATTR] = &layout_perf_attr,
	[ARG_MQ_ATTR] = &layout_mq_attr,
	[ARG_SEMBUFS] = &layout_sembufs,
};

const struct layout *layout_lookup(unsigned kind)
{
	return kind < ARG_KINDS ? layouts[kind] : NULL;
}
