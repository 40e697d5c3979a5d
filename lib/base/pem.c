#include "base/pem.h"

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/secret.h"

int pem_no_password(char *buffer, int size, int writing, void *userdata)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)userdata;
	return -1;
}

EVP_PKEY *pem_read_private(struct slice text)
{
	struct buf lines CLEANUP(buf_deinit) = BUF_NULL;
	EVP_PKEY *pkey = NULL;
	BIO *bio;

	for (size_t i = 0; i < text.size; i++) {
		bool escaped = text.data[i] == '\\' && i + 1 < text.size && text.data[i + 1] == 'n';

		buf_append_char(&lines, escaped ? '\n' : text.data[i]);
		i += escaped;
	}
	buf_append_char(&lines, '\n');
	bio = BIO_new_mem_buf(lines.data, (int)lines.size);
	if (bio)
		pkey = PEM_read_bio_PrivateKey(bio, NULL, pem_no_password, NULL);
	BIO_free(bio);
	secret_wipe(lines.data, lines.size);
	return pkey;
}
