/* server/authorize.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * What the caller may do. Everyone may do everything that is offered, for now.
 */
#ifndef GANTRY_SERVER_AUTHORIZE_H
#define GANTRY_SERVER_AUTHORIZE_H

#include "base/attributes.h"
#include "base/error.h"
#include "handlers/routes.h"
#include "http/request.h"

/* FORBIDDEN. Never waits. */
MUST_USE bool authorize(const struct request *request, enum scope scope, struct error *err);

#endif
