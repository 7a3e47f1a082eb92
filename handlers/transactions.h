/* handlers/transactions.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The functions that routes.def names: one transaction of PS3.18 each, told in the file of the same name.
 */
#ifndef GANTRY_HANDLERS_TRANSACTIONS_H
#define GANTRY_HANDLERS_TRANSACTIONS_H

#include "handlers/handler.h"

handler_answer_fn qido_rs_studies, qido_rs_series, qido_rs_instances; /* PS3.18 10.6 */
handler_receive_fn stow_rs_receive;                                   /* PS3.18 10.5 */
handler_answer_fn stow_rs_answer;                                     /* PS3.18 10.5 */
handler_answer_fn wado_rs_instances, wado_rs_instance;                /* PS3.18 10.4.1.1.1 */
handler_answer_fn wado_rs_metadata, wado_rs_frames, wado_rs_bulkdata; /* PS3.18 10.4.1.1 */
handler_answer_fn wado_rs_bulkdata_all, wado_rs_pixeldata_all;        /* PS3.18 10.4.3.3.5 and 6 */
handler_answer_fn wado_rs_rendered, wado_rs_rendered_instance,
    wado_rs_rendered_frames; /* PS3.18 10.4.1.1.3 */
handler_answer_fn wado_rs_thumbnail, wado_rs_thumbnail_instance,
    wado_rs_thumbnail_frames;                                                     /* PS3.18 10.4.1.1.4 */
handler_answer_fn wado_rs_frames_htj2k, wado_rs_frames_jls, wado_rs_frames_lossy; /* not in PS3.18 */
handler_answer_fn wado_uri;                                                       /* PS3.18 9 */
handler_answer_fn delete_resource;                                                /* not in PS3.18 */
handler_answer_fn capabilities;                                                   /* PS3.18 8.9 */
handler_answer_fn health_live, health_ready;

#endif
