/* Tokens of time-stamping authorities: the one here is of a certificate that was valid for some
 * seconds only, as those of all authorities will be expired one day. */
#include "base/timestamp_token.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/mem.h"
#include "base/timestamp.h"
#include "check_unit.h"

/* Made with OpenSSL 3.0.19: req -x509, ca -enddate, ts -query and ts -reply. */
static const char authority[] = "-----BEGIN CERTIFICATE-----\n"
				"MIIBeDCCAR6gAwIBAgIUUsTnpbNZp3ckOdIeIo9Ck6cq6H8wCgYIKoZIzj0EAwIw\n"
				"GTEXMBUGA1UEAwwOdHJhd2xkIHRlc3QgQ0EwIBcNMjYxMTI5MTQzNjE1WhgPMjEy\n"
				"NjExMDUxNDM2MTVaMBkxFzAVBgNVBAMMDnRyYXdsZCB0ZXN0IENBMFkwEwYHKoZI\n"
				"zj0CAQYIKoZIzj0DAQcDQgAESr4bhnR1z2erGRLg6TWgbbzIqND9okEq89ilxDaI\n"
				"L+q0keJE2KLeTjYZ/TRmsdwAAK3cRLSBzaQA5veedaMGxKNCMEAwDwYDVR0TAQH/\n"
				"BAUwAwEB/zAOBgNVHQ8BAf8EBAMCAgQwHQYDVR0OBBYEFJWj+0D6873gRP8JKiqW\n"
				"muZxsfyiMAoGCCqGSM49BAMCA0gAMEUCIQD8yq0UK82QFv1fxHOQfCVpReiv9BEV\n"
				"9XIppcuNQERKmAIgW4EJO87qDBO3FHC2hZoCMKtg8Rl6A9uFU3ht2Bh2nF4=\n"
				"-----END CERTIFICATE-----\n";

/* For SHA-256 of `trawld`; the certificate of the TSA ended 8 seconds after its time. */
static const char token[] =
	"MIIDbDADAgEAMIIDYwYJKoZIhvcNAQcCoIIDVDCCA1ACAQMxDzANBglghkgBZQMEAgEFADBtBgsq"
	"hkiG9w0BCRABBKBeBFwwWgIBAQYEKgMEATAxMA0GCWCGSAFlAwQCAQUABCAVrmVyvZ6HmTv61nh3"
	"S8kkI02r9CmGUNZmBzN7MNg7zwIBAhgPMjAyNjExMjkxNDM2MTVaAgh/DlEBnCpwq6CCAZ4wggGa"
	"MIIBQKADAgECAgEBMAoGCCqGSM49BAMCMBkxFzAVBgNVBAMMDnRyYXdsZCB0ZXN0IENBMB4XDTI2"
	"MTEyOTEzMzYxNVoXDTI2MTEyOTE0MzYyM1owGjEYMBYGA1UEAwwPdHJhd2xkIHRlc3QgVFNBMFkw"
	"EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEH/V/D/nD7wOvjnXZI9bVM/o4PNx5QmgKAP3LMh84eqLT"
	"malKij8nzkMaIA3Dx4YIQG6aqMRmkUyn44MC96S+PKN4MHYwDAYDVR0TAQH/BAIwADAOBgNVHQ8B"
	"Af8EBAMCB4AwFgYDVR0lAQH/BAwwCgYIKwYBBQUHAwgwHQYDVR0OBBYEFBUwRY9iHUP8PjLLlMU9"
	"CuTz1ysHMB8GA1UdIwQYMBaAFJWj+0D6873gRP8JKiqWmuZxsfyiMAoGCCqGSM49BAMCA0gAMEUC"
	"IQD5BqyG7NXK5dBSWeUkBB9ZW3UI6rjxLS2gDqsiii+BTgIgbS0TLuLY1tCWZEoqN1DUrugKPafR"
	"hwxAqmbueEa+yQkxggEnMIIBIwIBATAeMBkxFzAVBgNVBAMMDnRyYXdsZCB0ZXN0IENBAgEBMA0G"
	"CWCGSAFlAwQCAQUAoIGYMBoGCSqGSIb3DQEJAzENBgsqhkiG9w0BCRABBDAcBgkqhkiG9w0BCQUx"
	"DxcNMjYxMTI5MTQzNjE1WjArBgsqhkiG9w0BCRACDDEcMBowGDAWBBStz5u3BTrdfMavqDhMquON"
	"jWGVdjAvBgkqhkiG9w0BCQQxIgQgPEBt8rXr1N1B57+M20XOBOmYXgOOjw2peQlA27mBWQwwCgYI"
	"KoZIzj0EAwIESDBGAiEAiYEjqu1jGTHhJ9gPfs4M/dDmyixlDInIi6tbZiAjhIwCIQDN4DGwLGXF"
	"uaEFRaeMwF3ognUXMdSZMr1zJAT5O3YzCw==";
#define TOKEN_TIME "2026-11-29T14:36:15Z"

static struct buf response, reason;

static struct token_authorities *read_authorities(const char *text)
{
	char path[] = "/tmp/check_timestamp_token_XXXXXX";
	int fd = mkstemp(path);
	struct token_authorities *authorities;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	authorities = token_authorities_read(path);
	unlink(path);
	return authorities;
}

static int check(const char *data, const struct token_authorities *authorities, nsec_t *ret_time)
{
	uint8_t digest[DIGEST_SIZE];

	digest_sha256(slice_of(data), digest);
	buf_clear(&reason);
	return token_check(buf_slice(&response), digest, authorities, ret_time, &reason);
}

static void setup(void)
{
	buf_clear(&response);
	ck_assert_int_eq(decode_base64(slice_of(token), &response), 0);
}

START_TEST(a_certificate_that_expired)
{
	struct token_authorities *authorities = read_authorities(authority);
	nsec_t time = 0, expected;

	ck_assert_ptr_nonnull(authorities);
	ck_assert_msg(check("trawld", authorities, &time) == 0, "%s", buf_text(&reason));
	ck_assert_int_eq(timestamp_parse_rfc3339(slice_of(TOKEN_TIME), &expected), 0);
	ck_assert_int_eq(time, expected);
	/* twice, with the same authorities */
	ck_assert_int_eq(check("trawld", authorities, &time), 0);
	ck_assert_int_eq(check("trawl", authorities, &time), TOKEN_E_OTHER);
	token_authorities_free(authorities);
}
END_TEST

START_TEST(who_signed_is_checked_with_authorities_only)
{
	nsec_t time;

	ck_assert_int_eq(check("trawld", NULL, &time), 0);
	ck_assert_int_eq(check("trawl", NULL, &time), TOKEN_E_OTHER);
	/* the last bytes are of the signature */
	response.data[response.size - 4] ^= 1;
	ck_assert_int_eq(check("trawld", NULL, &time), 0);
	struct token_authorities *authorities = read_authorities(authority);
	ck_assert_int_eq(check("trawld", authorities, &time), TOKEN_E_SIGNATURE);
	token_authorities_free(authorities);
}
END_TEST

START_TEST(what_is_no_response)
{
	nsec_t time;

	response.size--;
	ck_assert_int_eq(check("trawld", NULL, &time), TOKEN_E_SYNTAX);
	response.size += 1;
	buf_append_char(&response, 0);
	ck_assert_int_eq(check("trawld", NULL, &time), TOKEN_E_SYNTAX);
	buf_clear(&response);
	ck_assert_int_eq(check("trawld", NULL, &time), TOKEN_E_SYNTAX);
	ck_assert_ptr_null(read_authorities("no certificate"));
	ck_assert_ptr_null(token_authorities_read("/nonexistent"));
}
END_TEST

START_TEST(a_request_takes_its_own_response_only)
{
	uint8_t digest[DIGEST_SIZE];
	struct buf first = BUF_NULL, second = BUF_NULL;
	nsec_t time;

	digest_sha256(SLICE("trawld"), digest);
	struct token_request *request = token_request_new(digest);
	struct token_request *other = token_request_new(digest);
	token_request_print(request, &first);
	token_request_print(other, &second);
	ck_assert(!slice_equal(buf_slice(&first), buf_slice(&second))); /* the nonce */
	buf_clear(&reason);
	ck_assert_int_eq(
		token_request_check(request, buf_slice(&response), &time, &reason), TOKEN_E_OTHER);
	ck_assert_str_eq(buf_text(&reason), "nonce mismatch");
	token_request_free(request);
	token_request_free(other);
	buf_deinit(&first);
	buf_deinit(&second);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("timestamp_token");
	TCase *cases = tcase_create("timestamp_token");

	tcase_add_checked_fixture(cases, setup, NULL);
	tcase_add_test(cases, a_certificate_that_expired);
	tcase_add_test(cases, who_signed_is_checked_with_authorities_only);
	tcase_add_test(cases, what_is_no_response);
	tcase_add_test(cases, a_request_takes_its_own_response_only);
	suite_add_tcase(suite, cases);
	return unit_run(suite);
}
