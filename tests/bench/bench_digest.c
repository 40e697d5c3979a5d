/*
 * What the key of a record costs, in nanoseconds of CPU: SHA-256 as it is, and keyed hashes of
 * OpenSSL, of an ID of 36 bytes and of records of 200 and 1,000. OPENSSL_ia32cap=:~0x20000000 is a
 * processor without the instructions for SHA.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/digest.h"

#define ROUNDS 300000

static double cpu_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void sha256(struct slice data)
{
	digest_id(data);
}

static void mac(const char *name, struct slice data)
{
	static EVP_MAC_CTX *context;
	static const char *of;
	uint8_t ret[64];
	size_t size;

	if (of != name) {
		EVP_MAC *method = EVP_MAC_fetch(NULL, name, NULL);
		EVP_MAC_CTX_free(context);
		context = EVP_MAC_CTX_new(method);
		EVP_MAC_free(method);
		of = name;
	}
	if (!EVP_MAC_init(context, (const unsigned char *)"0123456789abcdef", 16, NULL) ||
		!EVP_MAC_update(context, (const unsigned char *)data.data, data.size) ||
		!EVP_MAC_final(context, ret, &size, sizeof(ret)))
		abort();
}

static void siphash(struct slice data)
{
	static const char name[] = "SIPHASH";

	mac(name, data);
}

static void blake2b(struct slice data)
{
	static const char name[] = "BLAKE2BMAC";

	mac(name, data);
}

int main(void)
{
	static const struct {
		const char *name;
		void (*hash)(struct slice data);
	} hashes[] = {{"SHA-256", sha256}, {"SipHash", siphash}, {"BLAKE2b", blake2b}};
	static const size_t sizes[] = {36, 200, 1000};
	static char text[1000];

	for (size_t i = 0; i < 9; i++) {
		struct slice data = {text, sizes[i / 3]};
		double began = cpu_ns();

		for (int k = 0; k < ROUNDS; k++) {
			text[0] = (char)k;
			hashes[i % 3].hash(data);
		}
		printf("%5zu bytes, %s: %4.0f ns\n", data.size, hashes[i % 3].name,
			(cpu_ns() - began) / ROUNDS);
	}
	return EXIT_SUCCESS;
}
