/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Data channel keys: sealing and opening one packet, AEAD or CBC+HMAC, V1 or V2 head. spec §11.1,
 * §11.2.
 *
 * A key is immutable after init but for its packet id and replay window. seal and open work in
 * place; no allocation, clock or lock per packet; entropy (CBC IVs) comes from the given function.
 */
#pragma once
#include "replay.h"
#include "secret.h"
#include "status.h"

enum {
  OVPN_DATA_HEADROOM = 4 + 64 + 16 + 16 /* before the payload: head, HMAC/tag, IV, id */,
  OVPN_DATA_TAILROOM = 32 /* padding */
};

typedef struct OvpnDataCipher {
  const char *name; /* canonical, e.g. "AES-256-GCM" */
  bool aead;
  uint8_t key_len;
  uint8_t block; /* CBC block size; 1 = nothing is padded */
  uint8_t iv;    /* bytes of IV in a packet; 0 for AEAD and none */
} OvpnDataCipher;
/* Case-insensitive; NULL if this build cannot do it. "none" is a cipher. */
const OvpnDataCipher *ovpn_data_cipher(const char *name);
typedef void (*OvpnRandom)(void *user, uint8_t *buf, size_t len);

/* Where a profile departs from the usual; NULL or zeros: as usual. */
typedef struct OvpnDataForm {
  uint32_t window; /* packets that may come out of order, 0 = 64 */
  uint32_t late;   /* seconds that a packet may come later than newer ones, 0 = any time */
  uint8_t key_len; /* of the cipher's key in bytes, where it can have several lengths; 0 = usual */
  bool no_ids;     /* no-replay: CBC and "none" without packet ids */
  bool no_iv;      /* CBC without an IV */
} OvpnDataForm;

typedef struct OvpnDataKey OvpnDataKey;
/* block: 256 bytes of §9; `client`: which half sends. peer_id < 0: send DATA_V1. auth: digest name
 * for CBC. FAIL_CONFIG for a key_len that the cipher cannot have. */
OvpnStatus ovpn_data_key_new(const OvpnDataCipher *cipher, const char *auth,
                             const uint8_t block[256], bool client, uint8_t key_id, int32_t peer_id,
                             const OvpnDataForm *form, OvpnRandom random, void *user,
                             OvpnDataKey **ret, OvpnFailure *f);
/* The same with epochs (pushed aead-epoch): AEAD ciphers and DATA_V2 only, spec §11.6. */
OvpnStatus ovpn_data_key_new_epoch(const OvpnDataCipher *cipher, const uint8_t block[256],
                                   bool client, uint8_t key_id, int32_t peer_id,
                                   const OvpnDataForm *form, OvpnDataKey **ret, OvpnFailure *f);
/* Static key mode (spec §11.4): packets without a head, ids with a time; key: the 256 bytes of the
 * file; direction: OVPN_DIR_x. FAIL_CONFIG for a cipher that this mode does not allow. */
OvpnStatus ovpn_data_key_new_static(const OvpnDataCipher *cipher, const char *auth,
                                    const uint8_t key[256], int direction, const OvpnDataForm *form,
                                    uint32_t wall_time, OvpnRandom random, void *user,
                                    OvpnDataKey **ret, OvpnFailure *f);
/* Static key mode: one key serves for ever, so a key that is made anew must not begin with ids that
 * were used before, nor take packets again that an earlier one took. Zeroed: nothing is known. What
 * came in is forgotten when a key heard nothing, or a peer whose clock went back would be shut out
 * for ever. */
typedef struct OvpnIds {
  uint32_t sent_time, recv_time;
  OvpnReplay replay; /* of recv_time */
} OvpnIds;
void ovpn_data_key_remember(const OvpnDataKey *k, OvpnIds *ids); /* other keys: nothing */
/* Before the first packet. */
void ovpn_data_key_go_on(OvpnDataKey *k, const OvpnIds *ids);
/* Unix seconds for ids with a time (CFB and OFB): before the first packet. */
void ovpn_data_key_set_time(OvpnDataKey *k, uint32_t wall_time);
/* Before packets that came at `now` (ns) are opened: for OvpnDataForm.late. */
void ovpn_data_key_age(OvpnDataKey *k, uint64_t now);
bool ovpn_data_key_is_bare(const OvpnDataKey *k); /* static key mode: everything is data */
void ovpn_data_key_free(OvpnDataKey *k);
uint8_t ovpn_data_key_id(const OvpnDataKey *k);
size_t ovpn_data_key_overhead(const OvpnDataKey *k); /* largest growth of a packet, bytes */
uint64_t ovpn_data_key_sent(const OvpnDataKey *k);   /* packets; >= 0xFF000000: renegotiate now */
/* payload at buf+off, len bytes; needs off >= OVPN_DATA_HEADROOM and OVPN_DATA_TAILROOM bytes
 * behind. On OK the packet is at *ret_pkt (inside buf). FAIL_PACKET_ID when ids are used up. */
OvpnStatus ovpn_data_seal(OvpnDataKey *k, uint8_t *buf, size_t off, size_t len, uint8_t **ret_pkt,
                          size_t *ret_len);
/* pkt is overwritten. On OK the payload is a view inside pkt. DROP_AUTH, DROP_REPLAY,
 * DROP_TRUNCATED. */
OvpnStatus ovpn_data_open(OvpnDataKey *k, uint8_t *pkt, size_t len, uint8_t **ret_payload,
                          size_t *ret_len);
