/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What to ask for and what is already known: pure. */
#pragma once
#include <NetworkManager.h>
#include "service/profile.h"

typedef struct RequestItem {
  char *key; /* name of the secret in the answer */
  char *label;
  char *value; /* known or suggested; NULL = none. Wiped */
  gboolean should_ask;
  gboolean echo; /* may be shown while it is typed */
} RequestItem;

typedef struct Request {
  char *title, *message;
  char *page;              /* to sign in at with a browser; NULL = none. A checked address */
  gboolean open_page;      /* it is new: open it now */
  gboolean server_decides; /* nothing is asked; the server goes on by itself */
  GPtrArray *items;        /* of RequestItem; never empty */
} Request;

typedef struct RequestFlags {
  gboolean interactive;      /* -i: asking is allowed */
  gboolean reprompt;         /* -r: what is stored was wrong */
  gboolean key_is_encrypted; /* see nmovpn_profile_needs */
} RequestFlags;

/* What a profile can need, in the order in which it is asked. */
typedef struct RequestNeed {
  NmOvpnNeeds need;
  const char *key;
  gboolean kept; /* in the key ring, if the person wants it */
} RequestNeed;
enum { REQUEST_NEEDS = 5 };
extern const RequestNeed request_needs[REQUEST_NEEDS];

Request *request_new(NMSettingVpn *vpn, const char *name, const char *const *hints,
                     RequestFlags flags);
void request_free(Request *r);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Request, request_free)
gboolean request_has_questions(const Request *r);
void request_item_set_value(RequestItem *item, const char *value);

/* The two dialects of the answer (spec/desktop.md §4). Free with ovpn_secret_free. */
char *request_to_key_file(const Request *r);
char *request_to_pairs(const Request *r);
