#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Transparency on real programs, recorded inside of them.
ENGINE=inproc exec sh "${srcdir:-.}/tests/e2e/native.sh"
