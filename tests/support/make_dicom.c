#include "tests/support/make_dicom.h"
void make_dicom(struct buffer *into, const struct make_dicom *what) { (void)into; (void)what; }
void make_dicom_frame(struct buffer *into, const struct make_dicom *what, uint32_t frame) { (void)into; (void)what; (void)frame; }
