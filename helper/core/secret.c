/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Buffers for secrets. Invariant: memory that held a secret is wiped before it is freed or moved.
 */
#include "helper/core/secret.h"
#include <stdlib.h>
#include <string.h>

void ovpn_wipe(void *p, size_t len)
{
  if (p && len)
    explicit_bzero(p, len);
}

bool ovpn_equal_ct(const void *a, const void *b, size_t len)
{
  const volatile uint8_t *x = a, *y = b;
  uint8_t diff = 0;
  for (size_t i = 0; i < len; i++)
    diff |= (uint8_t)(x[i] ^ y[i]);
  return diff == 0;
}

static bool replace(OvpnBlob *b, const void *d1, size_t n1, const void *d2, size_t n2)
{
  uint8_t *data = NULL;
  if (n1 + n2 > 0) {
    data = malloc(n1 + n2 + 1);
    if (!data)
      return false;
    if (n1)
      memcpy(data, d1, n1);
    if (n2)
      memcpy(data + n1, d2, n2);
    data[n1 + n2] = 0;
  }
  ovpn_blob_clear(b);
  b->data = data;
  b->len = n1 + n2;
  return true;
}

bool ovpn_blob_set(OvpnBlob *b, const void *data, size_t len)
{
  return replace(b, data, len, NULL, 0);
}

bool ovpn_blob_set_text(OvpnBlob *b, const char *text)
{
  return replace(b, text, text ? strlen(text) : 0, NULL, 0);
}

bool ovpn_blob_append(OvpnBlob *b, const void *data, size_t len)
{
  return replace(b, b->data, b->len, data, len);
}

void ovpn_blob_clear(OvpnBlob *b)
{
  if (!b)
    return;
  ovpn_wipe(b->data, b->len);
  free(b->data);
  *b = (OvpnBlob){0};
}

char *ovpn_secret_strdup(const char *s)
{
  return s ? strdup(s) : NULL;
}

void ovpn_secret_free(char *s)
{
  if (s)
    ovpn_wipe(s, strlen(s));
  free(s);
}
