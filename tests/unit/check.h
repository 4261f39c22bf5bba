/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A test program in a few macros: CHECK prints file, line and values and counts; main ends with
 * TEST_END. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int check_failed_;
#define CHECK(c)                                                                                   \
  do {                                                                                             \
    if (!(c)) {                                                                                    \
      fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #c);                            \
      check_failed_++;                                                                             \
    }                                                                                              \
  } while (0)
#define CHECK_INT(a, b)                                                                            \
  do {                                                                                             \
    long long a_ = (long long)(a), b_ = (long long)(b);                                            \
    if (a_ != b_) {                                                                                \
      fprintf(stderr, "%s:%d: %s is %lld, expected %lld\n", __FILE__, __LINE__, #a, a_, b_);       \
      check_failed_++;                                                                             \
    }                                                                                              \
  } while (0)
#define CHECK_STR(a, b)                                                                            \
  do {                                                                                             \
    const char *a_ = (a), *b_ = (b);                                                               \
    if (!a_ || !b_ || strcmp(a_, b_)) {                                                            \
      fprintf(stderr, "%s:%d: %s is “%s”, expected “%s”\n", __FILE__, __LINE__, #a,                \
              a_ ? a_ : "(null)", b_ ? b_ : "(null)");                                             \
      check_failed_++;                                                                             \
    }                                                                                              \
  } while (0)
#define CHECK_MEM(a, b, n)                                                                         \
  do {                                                                                             \
    if (memcmp((a), (b), (n))) {                                                                   \
      fprintf(stderr, "%s:%d: %s differs from %s\n", __FILE__, __LINE__, #a, #b);                  \
      check_failed_++;                                                                             \
    }                                                                                              \
  } while (0)
#define TEST_END()                                                                                 \
  return check_failed_ ? (fprintf(stderr, "%d checks failed\n", check_failed_), 1) : 0

/* Hex text (spaces ignored) to bytes; returns the length. */
static inline size_t check_unhex(const char *hex, uint8_t *out, size_t cap)
{
  size_t n = 0;
  int hi = -1;
  for (; *hex && n < cap; hex++) {
    const char *digits = "0123456789abcdef", *d = strchr(digits, *hex | 0x20);
    if (!d || *hex == ' ')
      continue;
    if (hi < 0)
      hi = (int)(d - digits);
    else {
      out[n++] = (uint8_t)(hi << 4 | (int)(d - digits));
      hi = -1;
    }
  }
  return n;
}
