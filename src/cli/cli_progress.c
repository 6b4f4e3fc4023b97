/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Draws the progress line on the terminal of stderr, below the line that the
 * cursor is in, and puts the cursor back: what the program or the person
 * writes next goes where it would have gone.  Called from any thread of the
 * session, one at a time, and never while the program writes.
 *
 * Index and reverse index (ESC D, ESC M) make room for a line without changing
 * the column; 7 and 8 save and restore the cursor (ECMA-48, DEC VT100).
 * "Erase below" takes the line away, also when the cursor has come into it by
 * the Enter of who typed.
 */
#include "config.h"
#include "cli.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define FD STDERR_FILENO

/* A program that has the terminal in raw mode draws on all of it. */
static bool screen_is_lines(void)
{
	struct termios t;

	return tcgetattr(FD, &t) == 0 && t.c_lflag & ICANON && t.c_oflag & OPOST;
}

bool cli_progress(void *ctx, const char *line)
{
	static const char clear[] = "\033[J";
	struct winsize w;
	char text[256];
	int n;

	(void)ctx;
	if (!line)
		return write(FD, clear, sizeof(clear) - 1) < 0;
	if (tcgetpgrp(FD) != getpgrp() || !screen_is_lines() || ioctl(FD, TIOCGWINSZ, &w) || w.ws_row == 1)
		return false;
	n = snprintf(text, sizeof(text), "\033D\033M\0337\033D\r%.*s\033[K\0338",
		     w.ws_col > 1 ? w.ws_col - 1 : 79, line);
	return n > 0 && n < (int)sizeof(text) && write(FD, text, (size_t)n) == n;
}

bool cli_progress_wanted(void)
{
	const char *ci = getenv("CI"), *term = getenv("TERM");

	return isatty(FD) && !(ci && ci[0]) && term && term[0] && strcmp(term, "dumb");
}
