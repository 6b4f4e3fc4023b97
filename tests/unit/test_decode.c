/* SPDX-License-Identifier: Apache-2.0 */
/* Calls as text: one row of expectation a call, in the form that strace prints. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include "decode/match.h"
#include "records.h"

#define X TRACER_ABI_X86_64
#define I TRACER_ABI_I386

static struct world *w;
static struct strbuf text;
static struct decode_options opt;

static void begin(void)
{
	arena_used = 0;
	opt = (struct decode_options){ .string_max = 32 };
	record_limits.string_max = 4096;
	strbuf_init(&text, 65536);
	ck_assert_int_eq(world_new(&w, NULL), 0);
	world_before(w, task_of(1, 1, 0, 0));
	world_before(w, text_of(TRACER_EV_CWD, 1, "/home/me"));
	world_before(w, fd_of(1, 3, "/etc/passwd", 0));
	world_before(w, fd_of(1, 4, "socket:[77]", 0));
}

static void end(void)
{
	world_free(w);
	strbuf_fini(&text);
}

static const char *shown(const struct tracer_ev_call *ev)
{
	struct call c;

	world_before(w, &ev->head);
	call_init(&c, ev, w, NULL);
	strbuf_reset(&text);
	strbuf_add_fmt(&text, "%s(", c.name);
	call_format_args(&c, &opt, &text);
	strbuf_add_str(&text, ") ");
	call_format_ret(&c, &opt, &text);
	world_after(w, &ev->head);
	return text.p;
}

#define IS(expected, abi, ...) do { \
	const char *got_ = shown(call_of(abi, 1, __VA_ARGS__)); \
	ck_assert_str_eq(got_, expected); \
} while (0)

static struct { uint64_t at; uint8_t bytes[512]; size_t n; } writes[4];
static unsigned nwrites;

static void kernel_write(void)
{
	for (unsigned i = 0; i < nwrites; i++)
		memcpy(arena + (writes[i].at - ARENA_BASE), writes[i].bytes, writes[i].n);
	nwrites = 0;
}

/* What the kernel will have written there. */
static uint64_t over(uint64_t at, const void *p, size_t n)
{
	writes[nwrites].at = at;
	writes[nwrites].n = n;
	memcpy(writes[nwrites++].bytes, p, n);
	record_kernel = kernel_write;
	return at;
}

static uint64_t out(const void *p, size_t n)
{
	return over(mem(NULL, n), p, n);
}

#define OUT(x) out(&(x), sizeof(x))
#define IN(x) mem(&(x), sizeof(x))

START_TEST(files)
{
	begin();
	IS("openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY|O_CLOEXEC) = 3", X, "openat", 3, A(AT_FDCWD),
	   str("/etc/passwd"), A(O_RDONLY | O_CLOEXEC), A(0666));
	IS("openat(3, \"a\\nb\", O_RDWR|O_CREAT|0x80000000, 0644) = -1 ENOENT (No such file or directory)", X, "openat",
	   -ENOENT, A(3), str("a\nb"), A(O_RDWR | O_CREAT | 0x80000000u), A(0644));
	IS("open(NULL, O_WRONLY|O_APPEND) = -1 EFAULT (Bad address)", X, "open", -EFAULT, A(0), A(O_WRONLY | O_APPEND),
	   A(7));
	IS("open(0x7, O_RDONLY) = -1 EFAULT (Bad address)", X, "open", -EFAULT, A(7), A(0), A(7));
	IS("close(3) = 0", X, "close", 0, A(3));
	IS("access(\"/etc\", R_OK|X_OK) = 0", X, "access", 0, str("/etc"), A(5));
	IS("access(\"/etc\", F_OK) = 0", X, "access", 0, str("/etc"), A(0));
	IS("mkdir(\"/tmp\", 0777) = -1 EEXIST (File exists)", X, "mkdir", -EEXIST, str("/tmp"), A(0777));
	IS("chmod(\"f\", 000) = 0", X, "chmod", 0, str("f"), A(0));
	IS("umask(022) = 022", X, "umask", 022, A(022));
	IS("chown(\"/nope\", -1, 5) = 0", X, "chown", 0, str("/nope"), A(0xffffffffu), A(5));
	IS("mknodat(AT_FDCWD, \"n\", S_IFCHR|0600, makedev(0x1, 0x3)) = 0", X, "mknodat", 0, A(AT_FDCWD), str("n"),
	   A(S_IFCHR | 0600), A(0x103));
	IS("mknodat(AT_FDCWD, \"n\", S_IFIFO|0600) = 0", X, "mknodat", 0, A(AT_FDCWD), str("n"), A(S_IFIFO | 0600), A(9));
	IS("lseek(3, -10, SEEK_CUR) = 18", X, "lseek", 18, A(3), A(-10), A(SEEK_CUR));
	IS("readlink(\"/proc/self/exe\", \"/tmp/t1\", 100) = 7", X, "readlink", 7, str("/proc/self/exe"),
	   out("/tmp/t1", 7), A(100));
	IS("getcwd(\"/tmp\", 100) = 5", X, "getcwd", 5, out("/tmp", 5), A(100));
	IS("dup2(3, 50) = 50", X, "dup2", 50, A(3), A(50));
	IS("sync() = 0", X, "sync", 0);
	IS("getuid() = 0", X, "getuid", 0);
	end();
}
END_TEST

START_TEST(path_is_whole_string_is_not)
{
	char path[100];

	begin();
	memset(path, 'p', 99);
	path[99] = '\0';
	shown(call_of(X, 1, "unlink", 0, str(path)));
	ck_assert_uint_eq(text.len, strlen("unlink(\"\") = 0") + 99);
	IS("fgetxattr(3, \"pppppppppppppppppppppppppppppppp\"..., NULL, 0) = -1 ENODATA (No data available)", X,
	   "fgetxattr", -ENODATA, A(3), str(path), A(0), A(0));
	end();
}
END_TEST

START_TEST(buffers)
{
	begin();
	IS("write(1, \"a\\1b\\n\\377\\\"7\\0017\", 9) = 9", X, "write", 9, A(1), mem("a\001b\n\377\"7\0017", 9), A(9));
	IS("write(1, \"abcdefghijklmnopqrstuvwxyzabcdef\"..., 38) = 38", X, "write", 38, A(1),
	   str("abcdefghijklmnopqrstuvwxyzabcdefghijkl"), A(38));
	IS("read(3, \"hello\", 100) = 5", X, "read", 5, A(3), out("hello", 5), A(100));
	IS("read(3, \"\", 100) = 0", X, "read", 0, A(3), mem(NULL, 8), A(100));
	IS("read(3, 0x10, 100) = -1 EFAULT (Bad address)", X, "read", -EFAULT, A(3), A(16), A(100));
	opt.no_buffers = true;
	IS("write(1, <38 bytes>, 38) = 38", X, "write", 38, A(1), str("abcdefghijklmnopqrstuvwxyzabcdefghijkl"), A(38));
	opt.no_buffers = false;
	opt.strings_hex = 1;
	IS("write(1, \"plain\\n\", 6) = 6", X, "write", 6, A(1), str("plain\n"), A(6));
	IS("write(1, \"\\xff\\x41\", 2) = 2", X, "write", 2, A(1), str("\377A"), A(2));
	opt.strings_hex = 2;
	IS("write(1, \"\\x41\", 1) = 1", X, "write", 1, A(1), str("A"), A(1));
	end();
}
END_TEST

START_TEST(stat_family)
{
	struct stat st = { .st_mode = S_IFREG | 0644, .st_size = 1271, .st_dev = 0x801, .st_ino = 7, .st_nlink = 1,
			   .st_blksize = 4096, .st_blocks = 8, .st_mtim = { 1700000000, 5 } };
	uint8_t st32[96] = { 0 };

	begin();
	IS("newfstatat(3, \"\", {st_mode=S_IFREG|0644, st_size=1271, ...}, AT_EMPTY_PATH) = 0", X, "newfstatat", 0, A(3),
	   str(""), OUT(st), A(AT_EMPTY_PATH));
	shown(call_of(X, 1, "stat", -ENOENT, str("/nope"), mem(NULL, 144)));
	ck_assert_ptr_nonnull(strstr(text.p, "stat(\"/nope\", 0x1"));
	opt.verbose = true;
	IS("fstat(3, {st_dev=makedev(0x8, 0x1), st_ino=7, st_mode=S_IFREG|0644, st_nlink=1, st_uid=0, st_gid=0, "
	   "st_blksize=4096, st_blocks=8, st_size=1271, st_atime=0, st_atime_nsec=0, st_mtime=1700000000, "
	   "st_mtime_nsec=5, st_ctime=0, st_ctime_nsec=0}) = 0", X, "fstat", 0, A(3), OUT(st));
	opt.verbose = false;
	st.st_mode = S_IFCHR | S_ISVTX | 0666;
	st.st_rdev = 0x103;
	IS("stat(\"/dev/null\", {st_mode=S_IFCHR|S_ISVTX|0666, st_rdev=makedev(0x1, 0x3), ...}) = 0", X, "stat", 0,
	   str("/dev/null"), OUT(st));
	/* struct stat64 of i386: mode at 16, size at 44 */
	st32[16] = 0xed;
	st32[17] = 0x41;
	st32[44] = 1;
	st32[48] = 1;
	IS("stat64(\"/d\", {st_mode=S_IFDIR|0755, st_size=4294967297, ...}) = 0", I, "stat64", 0, str("/d"), OUT(st32));
	end();
}
END_TEST

START_TEST(statx_and_statfs)
{
	uint8_t sx[256] = { 0 };
	uint64_t sf[15] = { 0xef53, 4096, 100, 50, 40, 10, 5, 0x64ce31632908210bu, 255, 4096, 0x1020 };

	begin();
	sx[0] = 0xff;
	sx[1] = 7;
	sx[28] = 0xed;
	sx[29] = 0x41;
	sx[41] = 0x10;
	IS("statx(AT_FDCWD, \"/etc\", AT_STATX_SYNC_AS_STAT, STATX_BASIC_STATS, {stx_mask=STATX_BASIC_STATS, "
	   "stx_attributes=0, stx_mode=S_IFDIR|0755, stx_size=4096, ...}) = 0", X, "statx", 0, A(AT_FDCWD), str("/etc"),
	   A(0), A(0x7ff), (sx[1] = 7, OUT(sx)));
	IS("statfs(\"/\", {f_type=EXT2_SUPER_MAGIC, f_bsize=4096, f_blocks=100, f_bfree=50, f_bavail=40, f_files=10, "
	   "f_ffree=5, f_fsid={val=[0x2908210b, 0x64ce3163]}, f_namelen=255, f_frsize=4096, "
	   "f_flags=ST_VALID|ST_RELATIME}) = 0", X, "statfs", 0, str("/"), OUT(sf));
	end();
}
END_TEST

START_TEST(system_info)
{
	uint64_t si[14] = { 100, 1, 2, 3, 4096 };
	uint32_t si32[16] = { 100, 1, 2, 3, 4096 };
	char names[6][65] = { "Linux", "vm", "6.1", "#1", "x86_64", "" };

	begin();
	shown(call_of(X, 1, "sysinfo", 0, OUT(si)));
	ck_assert_ptr_nonnull(strstr(text.p, "{uptime=100, loads=[1, 2, 3], totalram=4096, "));
	shown(call_of(I, 1, "sysinfo", 0, OUT(si32)));
	ck_assert_ptr_nonnull(strstr(text.p, "{uptime=100, loads=[1, 2, 3], totalram=4096, "));
	IS("uname({sysname=\"Linux\", nodename=\"vm\", ...}) = 0", X, "uname", 0, OUT(names));
	opt.verbose = true;
	IS("uname({sysname=\"Linux\", nodename=\"vm\", release=\"6.1\", version=\"#1\", machine=\"x86_64\", "
	   "domainname=\"\"}) = 0", X, "uname", 0, OUT(names));
	end();
}
END_TEST

START_TEST(memory)
{
	begin();
	IS("mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000001000", X, "mmap",
	   0x7f0000001000, A(0), A(4096), A(PROT_READ | PROT_WRITE), A(MAP_PRIVATE | MAP_ANONYMOUS), A(0xffffffffu), A(0));
	IS("mprotect(0x1000, 4096, PROT_NONE) = 0", X, "mprotect", 0, A(0x1000), A(4096), A(0));
	IS("brk(NULL) = 0x5000", X, "brk", 0x5000, A(0));
	IS("mmap2(NULL, 4096, PROT_READ, MAP_PRIVATE, 3, 0x2000) = 0xf7fe0000", I, "mmap2", 0xf7fe0000, A(0), A(4096),
	   A(PROT_READ), A(MAP_PRIVATE), A(3), A(2));
	end();
}
END_TEST

START_TEST(processes)
{
	uint64_t argv[3] = { 0 }, envp[3] = { 0 };
	uint32_t small[3] = { 0 };
	int status = 3 << 8, killed = SIGKILL, core = SIGSEGV | 0x80, stopped = SIGSTOP << 8 | 0x7f;
	struct rusage ru = { .ru_utime = { 0, 158 } };
	uint64_t clone[11] = { CLONE_VM | CLONE_VFORK, 0, 0, 0, SIGCHLD, 0x7f0000000000, 0x9000 };

	begin();
	argv[0] = str("ls");
	argv[1] = str("-l");
	envp[0] = str("A=1");
	envp[1] = str("B=2");
	small[0] = (uint32_t)argv[0];
	small[1] = (uint32_t)argv[1];
	shown(call_of(X, 1, "execve", 0, str("/bin/ls"), mem(argv, 24), mem(envp, 24)));
	ck_assert_msg(strncmp(text.p, "execve(\"/bin/ls\", [\"ls\", \"-l\"], 0x1", 34) == 0, "%s", text.p);
	ck_assert_ptr_nonnull(strstr(text.p, " /* 2 vars */) = 0"));
	opt.no_argv = true;
	shown(call_of(X, 1, "execve", 0, str("/bin/ls"), mem(argv, 24), A(0)));
	ck_assert_ptr_null(strstr(text.p, "-l"));
	ck_assert_ptr_nonnull(strstr(text.p, " /* 2 args */, NULL) = 0"));
	opt.no_argv = false;
	shown(call_of(I, 1, "execve", -ENOENT, str("/bin/ls"), mem(small, 12), A(0)));
	ck_assert_str_eq(text.p, "execve(\"/bin/ls\", [\"ls\", \"-l\"], NULL) = -1 ENOENT (No such file or directory)");
	IS("wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], 0, NULL) = 99", X, "wait4", 99, A(-1), OUT(status), A(0),
	   A(0));
	IS("wait4(-1, [{WIFSIGNALED(s) && WTERMSIG(s) == SIGKILL}], WNOHANG|WSTOPPED, {ru_utime={tv_sec=0, "
	   "tv_usec=158}, ru_stime={tv_sec=0, tv_usec=0}, ...}) = 99", X, "wait4", 99, A(-1), OUT(killed),
	   A(WNOHANG | WUNTRACED), OUT(ru));
	IS("wait4(-1, [{WIFSIGNALED(s) && WTERMSIG(s) == SIGSEGV && WCOREDUMP(s)}], 0, NULL) = 9", X, "wait4", 9, A(-1),
	   OUT(core), A(0), A(0));
	IS("wait4(-1, [{WIFSTOPPED(s) && WSTOPSIG(s) == SIGSTOP}], 0, NULL) = 9", X, "wait4", 9, A(-1), OUT(stopped),
	   A(0), A(0));
	IS("wait4(-1, NULL, WNOHANG, NULL) = 0", X, "wait4", 0, A(-1), A(0), A(WNOHANG), A(0));
	IS("clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f10) = 5", X,
	   "clone", 5, A(CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID | SIGCHLD), A(0), A(0), A(0x7f10), A(0));
	IS("clone3({flags=CLONE_VM|CLONE_VFORK, exit_signal=SIGCHLD, stack=0x7f0000000000, stack_size=0x9000}, 88) = 5", X,
	   "clone3", 5, IN(clone), A(88));
	IS("kill(99999, SIGTERM) = -1 ESRCH (No such process)", X, "kill", -ESRCH, A(99999), A(SIGTERM));
	IS("kill(1, 0) = 0", X, "kill", 0, A(1), A(0));
	IS("prctl(PR_SET_NAME, \"hello\") = 0", X, "prctl", 0, A(PR_SET_NAME), str("hello"), A(0), A(0), A(0));
	IS("prctl(PR_SET_PDEATHSIG, SIGKILL) = 0", X, "prctl", 0, A(PR_SET_PDEATHSIG), A(SIGKILL), A(0), A(0), A(0));
	IS("prctl(PR_GET_DUMPABLE) = 1", X, "prctl", 1, A(PR_GET_DUMPABLE), A(0), A(0), A(0), A(0));
	end();
}
END_TEST

START_TEST(limits_and_times)
{
	struct rlimit64 rl = { 8192 * 1024, RLIM64_INFINITY };
	uint32_t rl32[2] = { 1000, 0xffffffff };
	struct timespec ts = { 1, 500 }, zero = { 0, 0 }, utimes[2] = { { 0, UTIME_NOW }, { 0, UTIME_OMIT } };
	struct timespec fixed[2] = { { 1, 2 }, { 3, 4 } };
	uint32_t ts32[2] = { 7, 8 };
	struct itimerval it = { { 1, 2 }, { 3, 4 } };
	struct timespec left = { 0, 9 };
	char text_at[96];
	uint64_t at;

	begin();
	IS("prlimit64(0, RLIMIT_STACK, NULL, {rlim_cur=8192*1024, rlim_max=RLIM64_INFINITY}) = 0", X, "prlimit64", 0, A(0),
	   A(RLIMIT_STACK), A(0), OUT(rl));
	IS("ugetrlimit(RLIMIT_NOFILE, {rlim_cur=1000, rlim_max=RLIM_INFINITY}) = 0", I, "ugetrlimit", 0, A(RLIMIT_NOFILE),
	   OUT(rl32));
	IS("clock_nanosleep(CLOCK_MONOTONIC, 0, {tv_sec=1, tv_nsec=500}, NULL) = 0", X, "clock_nanosleep", 0,
	   A(CLOCK_MONOTONIC), A(0), IN(ts), A(0));
	shown(call_of(X, 1, "clock_nanosleep", 0, A(CLOCK_MONOTONIC), A(0), IN(ts), IN(ts)));
	ck_assert_ptr_nonnull(strstr(text.p, "{tv_sec=1, tv_nsec=500}, 0x1"));	/* not written */
	IS("clock_nanosleep(CLOCK_MONOTONIC, 0, {tv_sec=1, tv_nsec=500}, {tv_sec=0, tv_nsec=0}) = ? "
	   "ERESTART_RESTARTBLOCK (Interrupted by signal)", X, "clock_nanosleep", -516, A(CLOCK_MONOTONIC), A(0), IN(ts),
	   OUT(zero));
	IS("nanosleep({tv_sec=1, tv_nsec=500}, NULL) = ? ERESTART_RESTARTBLOCK (Interrupted by signal)", X, "nanosleep",
	   -516, IN(ts), A(0));
	IS("nanosleep({tv_sec=1, tv_nsec=500}, {tv_sec=0, tv_nsec=9}) = -1 EINTR (Interrupted system call)", X, "nanosleep",
	   -EINTR, IN(ts), OUT(left));
	at = mem(&ts, sizeof(ts));
	snprintf(text_at, sizeof(text_at), "nanosleep({tv_sec=1, tv_nsec=500}, %#llx) = 0", (unsigned long long)at);
	IS(text_at, X, "nanosleep", 0, IN(ts), at);
	IS("nanosleep({tv_sec=7, tv_nsec=8}, NULL) = 0", I, "nanosleep", 0, IN(ts32), A(0));
	IS("clock_gettime64(CLOCK_REALTIME, {tv_sec=1, tv_nsec=500}) = 0", I, "clock_gettime64", 0, A(0), OUT(ts));
	IS("shmget(IPC_PRIVATE, 4096, IPC_CREAT|0600) = 7", X, "shmget", 7, A(0), A(4096), A(01600));
	IS("semget(IPC_PRIVATE, 1, 000) = 8", X, "semget", 8, A(0), A(1), A(0));
	IS("utimensat(AT_FDCWD, \"f\", [UTIME_NOW, UTIME_OMIT], 0) = 0", X, "utimensat", 0, A(AT_FDCWD), str("f"),
	   IN(utimes), A(0));
	IS("utimensat(AT_FDCWD, \"f\", [{tv_sec=1, tv_nsec=2}, {tv_sec=3, tv_nsec=4}], 0) = 0", X, "utimensat", 0,
	   A(AT_FDCWD), str("f"), IN(fixed), A(0));
	IS("setitimer(ITIMER_REAL, {it_interval={tv_sec=1, tv_usec=2}, it_value={tv_sec=3, tv_usec=4}}, NULL) = 0", X,
	   "setitimer", 0, A(0), IN(it), A(0));
	IS("futex(0x1000, FUTEX_WAKE_PRIVATE, 1) = 0", X, "futex", 0, A(0x1000), A(129), A(1), A(0), A(0), A(0));
	IS("futex(0x1000, FUTEX_WAIT, 2, NULL) = -1 EAGAIN (Resource temporarily unavailable)", X, "futex", -EAGAIN,
	   A(0x1000), A(0), A(2), A(0), A(0), A(0));
	IS("futex(0x1000, FUTEX_WAIT_BITSET_PRIVATE|FUTEX_CLOCK_REALTIME, 0, {tv_sec=0, tv_nsec=0}, NULL, "
	   "FUTEX_BITSET_MATCH_ANY) = 0", X, "futex", 0, A(0x1000), A(9 | 128 | 256), A(0), IN(zero), A(0),
	   A(0xffffffffu));
	end();
}
END_TEST

START_TEST(sockets)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(80), .sin_addr = { htonl(0x7f000001) } };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(80), .sin6_scope_id = 1 };
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "/run/x" };
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK, .nl_pid = 12, .nl_groups = 1 };
	int one = 1;
	uint32_t len = 4, biglen = 128, retlen = 16;

	begin();
	six.sin6_addr.s6_addr[0] = 0xfe;
	six.sin6_addr.s6_addr[1] = 0x80;
	six.sin6_addr.s6_addr[15] = 1;
	IS("socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_IP) = 6", X, "socket", 6, A(AF_INET),
	   A(SOCK_STREAM | SOCK_CLOEXEC), A(0));
	IS("connect(6, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr(\"127.0.0.1\")}, 16) = -1 "
	   "ECONNREFUSED (Connection refused)", X, "connect", -ECONNREFUSED, A(6), IN(sin), A(16));
	IS("connect(6, {sa_family=AF_INET6, sin6_port=htons(80), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "
	   "\"fe80::1\", &sin6_addr), sin6_scope_id=1}, 28) = 0", X, "connect", 0, A(6), IN(six), A(28));
	IS("connect(6, {sa_family=AF_UNIX, sun_path=\"/run/x\"}, 110) = 0", X, "connect", 0, A(6), IN(un), A(110));
	memcpy(un.sun_path, "\0abs", 4);
	IS("connect(6, {sa_family=AF_UNIX, sun_path=@\"abs\"}, 6) = 0", X, "connect", 0, A(6), IN(un), A(6));
	IS("connect(6, {sa_family=AF_NETLINK, nl_pid=12, nl_groups=0x000001}, 12) = 0", X, "connect", 0, A(6), IN(nl),
	   A(12));
	IS("connect(6, {sa_family=AF_UNSPEC, sa_data=\"\\0\\0\"}, 4) = 0", X, "connect", 0, A(6), mem(NULL, 16), A(4));
	IS("connect(6, NULL, 16) = -1 EFAULT (Bad address)", X, "connect", -EFAULT, A(6), A(0), A(16));
	IS("getsockname(6, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr(\"127.0.0.1\")}, [128 => 16]) = 0", X,
	   "getsockname", 0, A(6), OUT(sin), over(IN(biglen), &retlen, 4));
	IS("setsockopt(6, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0", X, "setsockopt", 0, A(6), A(SOL_SOCKET),
	   A(SO_REUSEADDR), IN(one), A(4));
	IS("setsockopt(6, SOL_NETLINK, NETLINK_EXT_ACK, [1], 4) = 0", X, "setsockopt", 0, A(6), A(SOL_NETLINK), A(11),
	   IN(one), A(4));
	IS("setsockopt(6, 0x29a /* SOL_??? */, 0x7, [1], 4) = 0", X, "setsockopt", 0, A(6), A(666), A(7), IN(one), A(4));
	IS("getsockopt(6, SOL_SOCKET, SO_ERROR, [ECONNREFUSED], [4]) = 0", X, "getsockopt", 0, A(6), A(SOL_SOCKET),
	   A(SO_ERROR), out(&(int){ ECONNREFUSED }, 4), IN(len));
	IS("sendto(6, \"hi\", 2, MSG_NOSIGNAL, NULL, 0) = 2", X, "sendto", 2, A(6), str("hi"), A(2), A(MSG_NOSIGNAL), A(0),
	   A(0));
	IS("socketpair(AF_UNIX, SOCK_STREAM, 0, [7, 8]) = 0", X, "socketpair", 0, A(AF_UNIX), A(SOCK_STREAM), A(0),
	   out((int[]){ 7, 8 }, 8));
	IS("shutdown(6, SHUT_WR) = 0", X, "shutdown", 0, A(6), A(1));
	end();
}
END_TEST

START_TEST(socketcall)
{
	const uint32_t new[6] = { AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0, 99, 99, 99 };
	const uint32_t listen_args[6] = { 7, 5 }, accept_args[6] = { 7, 0x1000, 0x2000, 99 }, bad[6] = { 0 };
	struct call c;

	begin();
	opt.fd_paths = true;
	IS("socketcall(SYS_SOCKET, [AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_IP]) = 7<socket:[TCP]>", I, "socketcall", 7,
	   A(1), IN(new));
	IS("socketcall(SYS_LISTEN, [7<socket:[TCP]>, 5]) = 0", I, "socketcall", 0, A(4), IN(listen_args));
	IS("socketcall(SYS_ACCEPT, [7<socket:[TCP]>, 0x1000, 0x2000]) = 8<socket:[TCP]>", I, "socketcall", 8, A(5),
	   IN(accept_args));
	ck_assert_str_eq(task_fd(world_task(w, 1), 8)->target, "TCP");
	call_init(&c, call_of(I, 1, "socketcall", 0, A(4), IN(listen_args)), w, NULL);
	ck_assert_int_eq(call_fd(&c), 7);
	IS("socketcall(0x15 /* SYS_??? */, [0, 0, 0, 0, 0, 0]) = -1 EINVAL (Invalid argument)", I, "socketcall", -EINVAL,
	   A(21), IN(bad));
	end();
}
END_TEST

START_TEST(vectors_and_messages)
{
	uint64_t iov[4], msg[7] = { 0 };
	uint32_t iov32[4];
	uint8_t control[24] = { 20, 0, 0, 0, 0, 0, 0, 0, SOL_SOCKET, 0, 0, 0, SCM_RIGHTS, 0, 0, 0, 3 };

	begin();
	iov[0] = str("abc");
	iov[1] = 3;
	iov[2] = str("defgh");
	iov[3] = 5;
	IS("writev(1, [{iov_base=\"abc\", iov_len=3}, {iov_base=\"defgh\", iov_len=5}], 2) = 8", X, "writev", 8, A(1),
	   IN(iov), A(2));
	IS("readv(3, [{iov_base=\"abc\", iov_len=3}, {iov_base=\"d\", iov_len=5}], 2) = 4", X, "readv", 4, A(3), IN(iov),
	   A(2));
	for (int i = 0; i < 4; i++)
		iov32[i] = (uint32_t)iov[i];
	IS("writev(1, [{iov_base=\"abc\", iov_len=3}, {iov_base=\"defgh\", iov_len=5}], 2) = 8", I, "writev", 8, A(1),
	   IN(iov32), A(2));
	msg[2] = IN(iov);
	msg[3] = 2;
	IS("sendmsg(6, {msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base=\"abc\", iov_len=3}, {iov_base=\"defgh\", "
	   "iov_len=5}], msg_iovlen=2, msg_controllen=0, msg_flags=0}, 0) = 8", X, "sendmsg", 8, A(6), mem(msg, 56), A(0));
	msg[4] = IN(control);
	msg[5] = 24;
	opt.fd_paths = true;
	IS("sendmsg(6, {msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base=\"abc\", iov_len=3}, {iov_base=\"defgh\", "
	   "iov_len=5}], msg_iovlen=2, msg_control=[{cmsg_len=20, cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS, "
	   "cmsg_data=[3</etc/passwd>]}], msg_controllen=24, msg_flags=0}, 0) = 8", X, "sendmsg", 8, A(6), mem(msg, 56),
	   A(0));
	end();
}
END_TEST

START_TEST(waiting)
{
	struct pollfd p[2] = { { 3, POLLIN | POLLOUT, 0 }, { -1, POLLIN, 0 } };
	struct pollfd q[2] = { { 3, POLLIN | POLLOUT, POLLIN | POLLHUP }, { -1, POLLIN, 0 } };
	struct epoll_event ev = { EPOLLIN | EPOLLET, { .u64 = 42 } };
	uint8_t in[128] = { 1 << 3 }, outset[128] = { 1 << 1 }, none[128] = { 0 };
	struct timeval tv = { 0, 10 }, left = { 0, 4 };
	char text_at[96];
	uint64_t at;

	begin();
	at = over(IN(p), q, sizeof(q));
	IS("poll([{fd=3, events=POLLIN|POLLOUT}, {fd=-1}], 2, 0) = 1 ([{fd=3, revents=POLLIN|POLLHUP}])", X, "poll", 1, at,
	   A(2), A(0));
	IS("poll([{fd=3, events=POLLIN|POLLOUT}, {fd=-1}], 2, 10) = 0 (Timeout)", X, "poll", 0, IN(p), A(2), A(10));
	IS("poll(NULL, 0, -1) = -1 EINTR (Interrupted system call)", X, "poll", -EINTR, A(0), A(0), A(-1));
	IS("select(10, [3], [1], NULL, {tv_sec=0, tv_usec=10}) = 1 (in [3], left {tv_sec=0, tv_usec=4})", X, "select", 1,
	   A(10), IN(in), over(IN(outset), none, 128), A(0), over(IN(tv), &left, sizeof(left)));
	IS("select(0, NULL, NULL, NULL, {tv_sec=0, tv_usec=10}) = 0 (Timeout)", X, "select", 0, A(0), A(0), A(0), A(0),
	   IN(tv));
	IS("epoll_ctl(11, EPOLL_CTL_ADD, 7, {events=EPOLLIN|EPOLLET, data={u32=42, u64=42}}) = 0", X, "epoll_ctl", 0,
	   A(11), A(1), A(7), IN(ev));
	at = IN(ev);
	snprintf(text_at, sizeof(text_at), "epoll_ctl(11, EPOLL_CTL_DEL, 7, %#llx) = 0", (unsigned long long)at);
	IS(text_at, X, "epoll_ctl", 0, A(11), A(2), A(7), at);
	IS("epoll_wait(11, [{events=EPOLLIN|EPOLLET, data={u32=42, u64=42}}], 5, 100) = 1", X, "epoll_wait", 1, A(11),
	   OUT(ev), A(5), A(100));
	IS("epoll_wait(11, [], 5, 100) = 0", X, "epoll_wait", 0, A(11), mem(NULL, 60), A(5), A(100));
	end();
}
END_TEST

START_TEST(signals)
{
	uint64_t two = 1 << (SIGINT - 1) | 1 << (SIGTERM - 1), all = ~(uint64_t)0 & ~(3ull << 31), none = 0;
	uint64_t act[4] = { (uintptr_t)SIG_IGN, 0x04000000, 0x7f00, 0 };
	uint32_t act32[5] = { 0x8000, SA_RESTART, 0, 1, 0 };

	begin();
	IS("rt_sigprocmask(SIG_BLOCK, [INT TERM], NULL, 8) = 0", X, "rt_sigprocmask", 0, A(SIG_BLOCK), IN(two), A(0), A(8));
	IS("rt_sigprocmask(SIG_SETMASK, ~[RTMIN RT_1], [], 8) = 0", X, "rt_sigprocmask", 0, A(SIG_SETMASK), IN(all),
	   OUT(none), A(8));
	IS("rt_sigaction(SIGUSR1, {sa_handler=SIG_IGN, sa_mask=[], sa_flags=SA_RESTORER, sa_restorer=0x7f00}, NULL, 8) = 0",
	   X, "rt_sigaction", 0, A(SIGUSR1), IN(act), A(0), A(8));
	IS("rt_sigaction(SIGUSR1, {sa_handler=0x8000, sa_mask=[HUP], sa_flags=SA_RESTART}, NULL, 8) = 0", I,
	   "rt_sigaction", 0, A(SIGUSR1), IN(act32), A(0), A(8));
	end();
}
END_TEST

START_TEST(fcntl_and_ioctl)
{
	struct flock fl = { F_RDLCK, SEEK_SET, 0, 10, 0 };

	begin();
	IS("fcntl(3, F_GETFL) = 0x8000 (flags O_RDONLY|O_LARGEFILE)", X, "fcntl", 0x8000, A(3), A(F_GETFL), A(0));
	IS("fcntl(3, F_SETFL, O_RDONLY|O_NONBLOCK) = 0", X, "fcntl", 0, A(3), A(F_SETFL), A(O_NONBLOCK));
	IS("fcntl(3, F_GETFD) = 0x1 (flags FD_CLOEXEC)", X, "fcntl", 1, A(3), A(F_GETFD), A(0));
	IS("fcntl(3, F_SETFD, FD_CLOEXEC) = 0", X, "fcntl", 0, A(3), A(F_SETFD), A(1));
	IS("fcntl(3, F_DUPFD_CLOEXEC, 100) = 100", X, "fcntl", 100, A(3), A(F_DUPFD_CLOEXEC), A(100));
	IS("fcntl(3, F_SETLK, {l_type=F_RDLCK, l_whence=SEEK_SET, l_start=0, l_len=10}) = 0", X, "fcntl", 0, A(3),
	   A(F_SETLK), IN(fl));
	IS("ioctl(1, TCGETS, 0x1) = -1 ENOTTY (Inappropriate ioctl for device)", X, "ioctl", -ENOTTY, A(1), A(0x5401), A(1));
	IS("ioctl(3, _IOC(_IOC_NONE, 0x12, 0x34, 0), 0x5) = 0", X, "ioctl", 0, A(3), A(0x1234), A(5));
	IS("ioctl(3, FIOCLEX) = 0", X, "ioctl", 0, A(3), A(0x5451), A(5));
	IS("pipe2([12, 13], O_CLOEXEC) = 0", X, "pipe2", 0, out((int[]){ 12, 13 }, 8), A(O_CLOEXEC));
	end();
}
END_TEST

START_TEST(descriptors_with_paths)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(80), .sin_addr = { htonl(0x7f000001) } };

	begin();
	opt.fd_paths = true;
	IS("close(3</etc/passwd>) = 0", X, "close", 0, A(3));
	IS("openat(AT_FDCWD</home/me>, \"x\", O_RDONLY) = 5</home/me/x>", X, "openat", 5, A(AT_FDCWD), str("x"), A(0), A(0));
	IS("dup(5</home/me/x>) = 6</home/me/x>", X, "dup", 6, A(5));
	IS("fcntl(5</home/me/x>, F_DUPFD, 9) = 9</home/me/x>", X, "fcntl", 9, A(5), A(F_DUPFD), A(9));
	IS("listen(4<socket:[77]>, 5) = 0", X, "listen", 0, A(4), A(5));
	IS("socket(AF_INET, SOCK_STREAM, IPPROTO_IP) = 7<socket:[TCP]>", X, "socket", 7, A(AF_INET), A(SOCK_STREAM), A(0));
	opt.fd_details = true;
	IS("bind(7<TCP>, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr(\"127.0.0.1\")}, 16) = 0", X, "bind", 0,
	   A(7), IN(sin), A(16));
	IS("listen(7<TCP:[127.0.0.1:80]>, 5) = 0", X, "listen", 0, A(7), A(5));
	IS("close(88) = -1 EBADF (Bad file descriptor)", X, "close", -EBADF, A(88));
	IS("open(\"a<b>\\n\", O_RDONLY) = 8</home/me/a\\74b\\76\\n>", X, "open", 8, str("a<b>\n"), A(0), A(0));
	end();
}
END_TEST

START_TEST(offsets_of_32_bit)
{
	begin();
	IS("pread64(3, \"\", 10, 4294967298) = 0", I, "pread64", 0, A(3), mem(NULL, 8), A(10), A(2), A(1));
	IS("_llseek(3, 4294967298, [4294967298], SEEK_SET) = 0", I, "_llseek", 0, A(3), A(1), A(2),
	   out(&(uint64_t){ 4294967298 }, 8), A(0));
	IS("chown(\"f\", -1, 7) = 0", I, "chown", 0, str("f"), A(0xffff), A(7));
	end();
}
END_TEST

START_TEST(unfinished_and_unknown)
{
	const struct tracer_ev_call *ev;
	struct call c;

	begin();
	ev = call_of(X, 1, "exit_group", 0, A(7));
	record.head.kind = TRACER_EV_ENTER;
	ck_assert_str_eq(shown(ev), "exit_group(7) = ?");
	head(TRACER_EV_CALL, 1, sizeof(record.call) + 6 * 8);
	record.head.nr = 4000;
	record.call.nargs = 6;
	for (unsigned i = 0; i < 6; i++)
		record.call.args[i] = i;
	call_init(&c, &record.call, w, NULL);
	ck_assert_str_eq(c.name, "syscall_0xfa0");
	ck_assert_str_eq(shown(&record.call), "syscall_0xfa0(0, 0x1, 0x2, 0x3, 0x4, 0x5) = 0");
	end();
}
END_TEST

START_TEST(raw_form)
{
	begin();
	opt.raw = true;
	IS("openat(0xffffff9c, 0x10000, 0x80000) = 0x3", X, "openat", 3, A(0xffffff9cu), str("/x"), A(O_CLOEXEC), A(0));
	end();
}
END_TEST

START_TEST(delivered_signals)
{
	uint32_t *si;

	begin();
	head(TRACER_EV_SIGNAL, 1, sizeof(record.signal));
	record.head.nr = SIGSEGV;
	record.signal.code = SEGV_MAPERR;
	signal_format(&record.signal, &text);
	ck_assert_str_eq(text.p, "SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=NULL}");
	strbuf_reset(&text);
	head(TRACER_EV_SIGNAL, 1, sizeof(record.signal) + 128);
	record.head.nr = SIGCHLD;
	record.signal.info_len = 128;
	si = (uint32_t *)record.signal.info;
	si[0] = SIGCHLD;
	si[2] = CLD_EXITED;
	si[4] = 19378;
	si[6] = 3;
	signal_format(&record.signal, &text);
	ck_assert_str_eq(text.p, "SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=19378, si_uid=0, si_status=3, "
			 "si_utime=0, si_stime=0}");
	strbuf_reset(&text);
	si[0] = record.head.nr = SIGTERM;
	si[2] = SI_USER;
	signal_format(&record.signal, &text);
	ck_assert_str_eq(text.p, "SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=19378, si_uid=0}");
	strbuf_reset(&text);
	si[0] = record.head.nr = SIGSEGV;
	si[2] = SEGV_MAPERR;
	si[4] = 0x10;
	si[5] = 0;
	signal_format(&record.signal, &text);
	ck_assert_str_eq(text.p, "SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=0x10}");
	end();
}
END_TEST

START_TEST(facts)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(443), .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct call_peer peer;
	struct call c;

	begin();
	call_init(&c, call_of(X, 1, "openat", -ENOENT, A(AT_FDCWD), str("../x"), A(0), A(0)), w, NULL);
	ck_assert(call_path(&c, &text));
	ck_assert_str_eq(text.p, "/home/x");
	ck_assert_int_eq(c.err, ENOENT);
	ck_assert_int_eq(call_fd(&c), -1);
	ck_assert_int_eq(call_bytes(&c), -1);
	call_init(&c, call_of(X, 1, "read", 5, A(3), out("hello", 5), A(100)), w, NULL);
	ck_assert(!call_path(&c, &text));
	ck_assert_int_eq(call_fd(&c), 3);
	ck_assert_str_eq(call_fd_entry(&c)->target, "/etc/passwd");
	ck_assert_int_eq(call_bytes(&c), 5);
	ck_assert(!call_peer(&c, &peer));
	call_init(&c, call_of(X, 1, "connect", 0, A(6), IN(six), A(28)), w, NULL);
	ck_assert(call_peer(&c, &peer));
	ck_assert_str_eq(peer.address, "::1");
	ck_assert_uint_eq(peer.port, 443);
	ck_assert_uint_eq(peer.family, AF_INET6);
	call_init(&c, call_of(X, 1, "bind", 0, A(6), IN(six), A(28)), w, NULL);
	ck_assert(!call_peer(&c, &peer));
	strbuf_reset(&text);
	call_init(&c, call_of(X, 1, "symlink", 0, str("../text"), str("name")), w, NULL);
	ck_assert(call_path(&c, &text));
	ck_assert_str_eq(text.p, "/home/me/name");
	end();
}
END_TEST

static struct match_paths paths;
static struct filter fds;

static bool path_match(const struct tracer_ev_call *ev)
{
	struct call c;

	call_init(&c, ev, w, NULL);
	return call_matches_path(&c, &paths);
}

static bool fd_match(const struct tracer_ev_call *ev)
{
	struct call c;

	call_init(&c, ev, w, NULL);
	return call_matches_fd(&c, &fds);
}

START_TEST(matching_paths)
{
	struct pollfd p = { 3, POLLIN, 0 }, q = { 4, POLLIN, 0 };

	begin();
	match_paths_init(&paths);
	ck_assert(path_match(call_of(X, 1, "getpid", 1)));	/* nothing was asked for */
	ck_assert_int_eq(match_paths_add(&paths, ""), -EINVAL);
	ck_assert_int_eq(match_paths_add(&paths, "/etc/passwd"), 0);
	ck_assert_int_eq(match_paths_add(&paths, "/home/me/a"), 0);
	ck_assert(path_match(call_of(X, 1, "unlink", 0, str("/etc/passwd"))));
	ck_assert(!path_match(call_of(X, 1, "unlink", 0, str("/etc/passwd-"))));
	ck_assert(path_match(call_of(X, 1, "unlink", 0, str("a"))));
	ck_assert(path_match(call_of(X, 1, "rename", 0, str("b"), str("./a"))));
	ck_assert(!path_match(call_of(X, 1, "rename", 0, str("b"), str("c"))));
	ck_assert(path_match(call_of(X, 1, "read", 0, A(3), A(0), A(0))));
	ck_assert(!path_match(call_of(X, 1, "read", 0, A(4), A(0), A(0))));
	ck_assert(path_match(call_of(X, 1, "poll", 0, IN(p), A(1), A(0))));
	ck_assert(!path_match(call_of(X, 1, "poll", 0, IN(q), A(1), A(0))));
	ck_assert(!path_match(call_of(X, 1, "getpid", 1)));
	for (int i = 2; i < (int)MATCH_PATHS_MAX; i++)
		ck_assert_int_eq(match_paths_add(&paths, "x"), 0);
	ck_assert_int_eq(match_paths_add(&paths, "x"), -ENOSPC);
	match_paths_fini(&paths);
	end();
}
END_TEST

START_TEST(matching_descriptors)
{
	struct pollfd p[2] = { { 3, POLLIN, 0 }, { 9, POLLIN, 0 } };
	char why[100];

	begin();
	filter_init(&fds);
	ck_assert(fd_match(call_of(X, 1, "getpid", 1)));
	ck_assert_int_eq(filter_parse(&fds, "fd=9", why, sizeof(why)), 0);
	ck_assert(fd_match(call_of(X, 1, "close", 0, A(9))));
	ck_assert(!fd_match(call_of(X, 1, "close", 0, A(8))));
	ck_assert(fd_match(call_of(X, 1, "dup2", 9, A(1), A(9))));
	ck_assert(fd_match(call_of(X, 1, "poll", 0, IN(p), A(2), A(0))));
	ck_assert(fd_match(call_of(X, 1, "open", 9, str("x"), A(0), A(0))));
	ck_assert(!fd_match(call_of(X, 1, "open", -ENOENT, str("x"), A(0), A(0))));
	ck_assert(!fd_match(call_of(X, 1, "getpid", 9)));
	ck_assert_int_eq(filter_parse(&fds, "fd=!9", why, sizeof(why)), 0);
	ck_assert(!fd_match(call_of(X, 1, "close", 0, A(9))));
	ck_assert(fd_match(call_of(X, 1, "close", 0, A(8))));
	ck_assert(!fd_match(call_of(X, 1, "getpid", 9)));
	end();
}
END_TEST

START_TEST(one_argument)
{
	struct call c;

	begin();
	call_init(&c, call_of(X, 1, "openat", 3, A(AT_FDCWD), str("/x"), A(O_RDWR), A(0)), w, NULL);
	ck_assert(call_format_arg(&c, 2, &opt, &text));
	ck_assert_str_eq(text.p, "O_RDWR");
	strbuf_reset(&text);
	ck_assert(!call_format_arg(&c, 3, &opt, &text));	/* not taken: nothing is created */
	ck_assert(!call_format_arg(&c, 9, &opt, &text));
	ck_assert_str_eq(text.p, "");
	call_init(&c, call_of(X, 1, "openat", 3, A(AT_FDCWD), str("/x"), A(O_RDWR | O_CREAT), A(0640)), w, NULL);
	ck_assert(call_format_arg(&c, 3, &opt, &text));
	ck_assert_str_eq(text.p, "0640");
	strbuf_reset(&text);
	call_init(&c, call_of(X, 1, "clone", 9, A(CLONE_SETTLS), A(0), A(1), A(2), A(0x30)), w, NULL);
	ck_assert(!call_format_arg(&c, 2, &opt, &text));	/* no CLONE_PARENT_SETTID */
	ck_assert(!call_format_arg(&c, 3, &opt, &text));
	ck_assert(call_format_arg(&c, 4, &opt, &text));
	ck_assert_str_eq(text.p, "0x30");
	end();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		files, path_is_whole_string_is_not, buffers, stat_family, statx_and_statfs, system_info, memory, processes,
		limits_and_times, sockets, socketcall, vectors_and_messages, waiting, signals, fcntl_and_ioctl,
		descriptors_with_paths, offsets_of_32_bit, unfinished_and_unknown, raw_form, delivered_signals, facts,
		matching_paths, matching_descriptors, one_argument, NULL
	};

	return unit_run("decode", tests);
}
