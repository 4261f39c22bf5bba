/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compression of outgoing packets, for profiles that insist on it. spec §12.1.
 *
 * The length of compressed text tells about its content, so this exists only where a profile says
 * `allow-compression yes`; everybody else gets the framing alone (ovpn_frame_add). Pure: time comes
 * in; nothing is allocated after new. */
#pragma once
#include "config.h"

typedef struct OvpnPacker OvpnPacker;
OvpnPacker *ovpn_packer_new(void);    /* NULL: no memory */
void ovpn_packer_free(OvpnPacker *k); /* NULL ok */
/* The payload (*p, *len) becomes a shorter one with the framing of `mode`, in the same place.
 * false: unchanged, since it is small, does not get shorter, or the mode does not compress; then
 * ovpn_frame_add. `adaptive` holds for LZO: it rests for a minute when it saves too little. Never
 * grows; *len at most 64 KiB; needs the headroom and tailroom of frame_add. */
bool ovpn_packer_add(OvpnPacker *k, uint64_t now, OvpnCompress mode, bool adaptive, uint8_t **p,
                     size_t *len);
