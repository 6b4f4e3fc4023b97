/* SPDX-License-Identifier: Apache-2.0 */
/* What can be done about an error that a limit is behind. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stddef.h>

/* The error (negative) in words, and after "; " what to do where a limit of the system or of the user is
 * behind it. */
void err_format(int err, char *buf, size_t len);
/* Only what to do, NULL where that cannot be told from the error. */
const char *err_advice(int err);

#endif
