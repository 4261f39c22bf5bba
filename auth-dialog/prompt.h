/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The window of the auth-dialog, for agents that leave the asking to us. */
#pragma once
#include "auth-dialog/request.h"

typedef enum PromptResult {
  PROMPT_DONE, /* the items hold the answers */
  PROMPT_CANCELLED,
  PROMPT_NO_DISPLAY,
} PromptResult;

/* Asks for the items with should_ask; runs a main loop until the user is done or stdin says QUIT.
 */
PromptResult prompt_run(Request *r);
