/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Buffers for secrets: wiped when cleared, compared in constant time, never formatted. libc only.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Owned bytes. data is NULL when len is 0; data[len] is always a NUL (so text can be used as such).
 */
typedef struct OvpnBlob {
  uint8_t *data;
  size_t len; /* bytes, without the NUL */
} OvpnBlob;

void ovpn_wipe(void *p, size_t len);                              /* not optimised away; NULL ok */
bool ovpn_equal_ct(const void *a, const void *b, size_t len);     /* constant time */
bool ovpn_blob_set(OvpnBlob *b, const void *data, size_t len);    /* copies; false = no memory */
bool ovpn_blob_set_text(OvpnBlob *b, const char *text);           /* NULL clears */
bool ovpn_blob_append(OvpnBlob *b, const void *data, size_t len); /* old memory is wiped */
void ovpn_blob_clear(OvpnBlob *b);                                /* wipes and frees; NULL ok */
char *ovpn_secret_strdup(const char *s);                          /* NULL in, NULL out */
void ovpn_secret_free(char *s);                                   /* wipes a NUL-terminated text */

static inline void ovpn_blob_auto_(OvpnBlob *b)
{
  ovpn_blob_clear(b);
}
#define ovpn_auto_blob __attribute__((cleanup(ovpn_blob_auto_))) OvpnBlob
