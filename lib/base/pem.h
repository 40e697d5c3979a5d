/* Private keys in PEM form (RFC 7468), as people paste them into files and configurations. */
#ifndef TRAWLD_BASE_PEM_H
#define TRAWLD_BASE_PEM_H

#include "base/slice.h"

/* The private key in TEXT (PKCS #1, PKCS #8 or SEC 1), in which `\n` may stand for a line break.
 * NULL: there is none, or it is encrypted. The caller frees it with EVP_PKEY_free. */
struct evp_pkey_st *pem_read_private(struct slice text);

/* For OpenSSL: an encrypted key is refused, since nobody is there to be asked for its password. */
int pem_no_password(char *buffer, int size, int writing, void *userdata);

#endif
