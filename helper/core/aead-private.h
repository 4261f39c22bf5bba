/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of a data channel key, shared by aead.c (keys, AEAD packets) and data-hmac.c (packets with
 * an HMAC). Nobody else includes this. */
#pragma once
#include "helper/core/aead.h"
#include "helper/core/block.h"
#include "helper/core/epoch.h"
#include "helper/core/mac.h"
#include <gnutls/crypto.h>

enum { ID_LEN = 4, LONG_ID_LEN = 8, IMPLICIT_IV_LEN = 8, BLOCK_MAX = 16 };

typedef enum Method {
  METHOD_NONE,
  METHOD_GCM,
  METHOD_CHACHA,
  METHOD_CBC,       /* GnuTLS */
  METHOD_BLOCK_CBC, /* Nettle, as all that follow */
  METHOD_CFB,
  METHOD_CFB8,
  METHOD_CFB1,
  METHOD_OFB,
} Method;

typedef struct Row {
  OvpnDataCipher pub; /* first: callers hold a pointer to it */
  Method method;
  int lib; /* gnutls_cipher_algorithm_t or OvpnBlockKind, by method */
} Row;

/* What one direction needs. */
typedef struct Half {
  gnutls_aead_cipher_hd_t aead;
  gnutls_cipher_hd_t cbc;
  OvpnMac *mac;
  uint8_t implicit_iv[IMPLICIT_IV_LEN];
  OvpnBlock block;
} Half;

struct OvpnDataKey {
  const Row *row;
  OvpnEpoch *epoch; /* NULL: the classic format */
  unsigned mac_len; /* 0 = auth none */
  uint8_t key_id;
  int32_t peer_id;
  bool bare; /* static key mode: packets without a head */
  OvpnDataForm form;
  uint32_t time;         /* of long ids */
  uint64_t sent, blocks; /* ids used; AES-GCM usage */
  OvpnRandom random;
  void *user;
  Half send, recv;
  OvpnReplay replay;
  uint32_t recv_time; /* of long ids: the window is of this second */
  bool heard;         /* an authentic packet has come */
};

/* Bytes of the head, which the caller of seal puts in front of `at`. */
static inline size_t data_head_len(const OvpnDataKey *k)
{
  return k->bare ? 0 : k->peer_id < 0 ? 1 : 4;
}
static inline size_t data_iv_len(const OvpnDataKey *k)
{
  return k->form.no_iv && k->row->pub.block > 1 ? 0 : k->row->pub.iv;
}
/* CFB and OFB: the IV is the packet id, which then is a long one. */
static inline bool data_iv_is_id(const OvpnDataKey *k)
{
  return k->row->pub.iv > 0 && k->row->pub.block == 1 && !k->row->pub.aead;
}
static inline bool data_long_id(const OvpnDataKey *k)
{
  return k->bare || data_iv_is_id(k);
}
/* Bytes of the id in front of the payload. */
static inline size_t data_id_len(const OvpnDataKey *k)
{
  return data_iv_is_id(k) || k->form.no_ids ? 0 : data_long_id(k) ? LONG_ID_LEN : ID_LEN;
}

/* aead.c: puts the head in front of `at`; returns its start. */
uint8_t *data_put_head(const OvpnDataKey *k, uint8_t *at);
/* data-hmac.c */
OvpnStatus data_seal_hmac(OvpnDataKey *k, uint8_t *p, size_t len, uint32_t id, uint8_t **ret_pkt,
                          size_t *ret_len);
OvpnStatus data_open_hmac(OvpnDataKey *k, uint8_t *pkt, size_t len, size_t head,
                          uint8_t **ret_payload, size_t *ret_len);
