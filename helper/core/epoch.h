/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Data packets with epochs (OpenVPN 2.7, aead-epoch): a chain of keys per direction, 64-bit packet
 * ids, the tag at the end. spec §11.6. Part of a data key: use aead.h. */
#pragma once
#include "replay.h"
#include "status.h"
#include <stddef.h>

enum {
  OVPN_EPOCH_SECRET_LEN = 32,
  OVPN_EPOCH_HEAD_LEN = 4, /* opcode and peer-id, made by the caller */
  OVPN_EPOCH_ID_LEN = 8,   /* epoch and counter */
  OVPN_EPOCH_TAG_LEN = 16,
  OVPN_EPOCH_FUTURE = 16, /* epochs that the peer may be ahead of us */
  OVPN_EPOCH_IV_LEN = 12,
};

/* HKDF-Expand (SHA-256) with the label of OpenVPN's key schedule; len <= 255 * 32. */
bool ovpn_epoch_expand(const uint8_t secret[OVPN_EPOCH_SECRET_LEN], const char *label, uint8_t *out,
                       size_t len);

typedef struct OvpnEpoch OvpnEpoch;
/* alg: gnutls_cipher_algorithm_t of an AEAD with keys of key_len bytes; limited: AES-GCM, whose
 * keys must not see more than 2^36 blocks and packets. Secrets are those of epoch 1. */
OvpnStatus ovpn_epoch_new(int alg, size_t key_len, bool limited,
                          const uint8_t send_secret[OVPN_EPOCH_SECRET_LEN],
                          const uint8_t recv_secret[OVPN_EPOCH_SECRET_LEN], uint32_t replay_window,
                          OvpnEpoch **ret, OvpnFailure *f);
void ovpn_epoch_free(OvpnEpoch *e); /* wipes; NULL is fine */
/* head: OVPN_EPOCH_HEAD_LEN bytes, room for the id behind them, then len bytes of payload, then
 * room for the tag. In place. FAIL_PACKET_ID when the epochs are used up. */
OvpnStatus ovpn_epoch_seal(OvpnEpoch *e, uint8_t *head, size_t len);
/* A whole packet, in place; on OK the payload is *ret_len bytes behind head and id. */
OvpnStatus ovpn_epoch_open(OvpnEpoch *e, uint8_t *pkt, size_t len, size_t *ret_len);
void ovpn_epoch_age(OvpnEpoch *e, uint64_t late, uint64_t now); /* see ovpn_replay_age */
uint64_t ovpn_epoch_packets(const OvpnEpoch *e);                /* sent in all epochs */
bool ovpn_epoch_wants_new_key(const OvpnEpoch *e); /* few epochs are left: renegotiate */
