/* See relp.h. */
#include "sink/syslog/relp.h"

#include "base/number.h"
#include "base/str.h"

#define ANSWER_MAX ((size_t)128 << 10) /* librelp's own ceiling of a frame */
#define HEADER_MAX 64 /* TXNR, command and length of an answer */

static void append_frame(unsigned txnr, const char *command, struct slice data, struct buf *out)
{
	buf_printf(out, "%u %s %zu", txnr, command, data.size);
	if (data.size > 0) {
		buf_append_char(out, ' ');
		buf_append_slice(out, data);
	}
	buf_append_char(out, '\n');
}

/* TXNR after N more frames: 1 follows the largest. */
static unsigned txnr_after(unsigned txnr, unsigned n)
{
	return (txnr - 1 + n) % RELP_TXNR_MAX + 1;
}

/* Whether the frame AHEAD of the oldest is answered. */
static bool *relp_slot(struct relp *relp, unsigned ahead)
{
	return &relp->answered[(relp->first + ahead) % RELP_WINDOW];
}

static void relp_add(struct relp *relp, const char *command, struct slice data, struct buf *out)
{
	append_frame(txnr_after(relp->oldest, relp->n_outstanding), command, data, out);
	*relp_slot(relp, relp->n_outstanding) = false;
	relp->n_outstanding++;
}

void relp_begin(struct relp *relp, struct buf *out)
{
	relp_deinit(relp);
	relp->oldest = 1;
	relp_add(relp, "open",
		SLICE("relp_version=0\nrelp_software=trawld," TRAWLD_VERSION "\ncommands=syslog"),
		out);
}

void relp_deinit(struct relp *relp)
{
	buf_deinit(&relp->in);
	*relp = (struct relp){.in = BUF_LIMITED(2 * ANSWER_MAX)};
}

bool relp_has_room(const struct relp *relp)
{
	return relp->state == RELP_OPEN && relp->n_outstanding < RELP_WINDOW;
}

void relp_send(struct relp *relp, struct slice message, struct buf *out)
{
	relp_add(relp, "syslog", message, out);
}

void relp_end(struct relp *relp, struct buf *out)
{
	append_frame(
		txnr_after(relp->oldest, relp->n_outstanding), "close", (struct slice){"", 0}, out);
}

/* --- answers --- */

struct answer {
	unsigned txnr;
	struct slice command;
	struct slice data;
};

static bool next_word(struct slice *rest, struct slice *ret)
{
	for (size_t i = 0; i < rest->size; i++) {
		if (rest->data[i] != ' ' && rest->data[i] != '\n')
			continue;
		*ret = (struct slice){rest->data, i};
		rest->data += i;
		rest->size -= i;
		return i > 0;
	}
	return false;
}

static bool skip_blank(struct slice *rest)
{
	if (rest->size == 0 || *rest->data != ' ')
		return false;
	rest->data++;
	rest->size--;
	return true;
}

enum answer_outcome { ANSWER_WHOLE, ANSWER_PART, ANSWER_BAD };

/* Takes the next answer off *REST; ANSWER_PART leaves it as it was. */
static enum answer_outcome take_answer(struct slice *rest, struct answer *ret)
{
	struct slice text = *rest, txnr, size_text;
	int64_t number, size;
	size_t head = text.size < HEADER_MAX ? text.size : HEADER_MAX;
	const char *end = text.data;

	/* three words, each followed by something: else the head is not whole */
	for (int words = 0; words < 3; words++) {
		while (end < text.data + head && *end != ' ' && *end != '\n')
			end++;
		if (end == text.data + head)
			return head < HEADER_MAX ? ANSWER_PART : ANSWER_BAD;
		end++;
	}
	if (!next_word(&text, &txnr) || !skip_blank(&text) || !next_word(&text, &ret->command) ||
		!skip_blank(&text) || !next_word(&text, &size_text) ||
		number_parse(txnr, 0, RELP_TXNR_MAX, &number) != 0 ||
		number_parse(size_text, 0, ANSWER_MAX, &size) != 0)
		return ANSWER_BAD;
	if (size > 0 && !skip_blank(&text))
		return ANSWER_BAD;
	if (size == 0) /* librelp puts a blank there, too */
		(void)skip_blank(&text);
	if (text.size < (size_t)size + 1)
		return ANSWER_PART;
	if (text.data[size] != '\n')
		return ANSWER_BAD;
	ret->txnr = (unsigned)number;
	ret->data = (struct slice){text.data, (size_t)size};
	text.data += size + 1;
	text.size -= (size_t)size + 1;
	*rest = text;
	return ANSWER_WHOLE;
}

static int judge_open(struct relp *relp, struct slice data, struct fault *reterr)
{
	struct slice line;

	while (str_next_part(&data, '\n', &line)) {
		if (line.size > 9 && memcmp(line.data, "commands=", 9) == 0 &&
			!memmem(line.data, line.size, "syslog", 6))
			return fault_set(
				reterr, FAULT_SERVER, "the RELP receiver takes no syslog messages");
	}
	relp->state = RELP_OPEN;
	return 0;
}

static int judge(
	struct relp *relp, const struct answer *answer, size_t *confirmed, struct fault *reterr)
{
	unsigned ahead = (answer->txnr + RELP_TXNR_MAX - relp->oldest) % RELP_TXNR_MAX;
	bool opening = relp->state == RELP_OPENING;
	int shown = answer->data.size < 100 ? (int)answer->data.size : 100;

	if (slice_is(answer->command, "serverclose"))
		return fault_set(reterr, FAULT_NETWORK, "the RELP receiver ends the session");
	if (!slice_is(answer->command, "rsp") || answer->txnr == 0 ||
		ahead >= relp->n_outstanding || *relp_slot(relp, ahead))
		return fault_set(reterr, FAULT_SERVER, "the receiver does not keep to RELP");
	if (answer->data.size < 3 || memcmp(answer->data.data, "200", 3) != 0)
		return fault_set(reterr, FAULT_SERVER, "the RELP receiver answers %.*s", shown,
			answer->data.data);
	*relp_slot(relp, ahead) = true;
	while (relp->n_outstanding > 0 && *relp_slot(relp, 0)) {
		relp->first = (relp->first + 1) % RELP_WINDOW;
		relp->oldest = txnr_after(relp->oldest, 1);
		relp->n_outstanding--;
		if (!opening)
			(*confirmed)++;
	}
	return opening ? judge_open(relp, answer->data, reterr) : 0;
}

int relp_receive(struct relp *relp, struct slice bytes, size_t *ret_confirmed, struct fault *reterr)
{
	struct answer answer;
	struct slice rest;
	enum answer_outcome outcome;
	int r = 0;

	if (buf_append_slice(&relp->in, bytes) != 0)
		return fault_set(reterr, FAULT_LIMIT, "an answer of the RELP receiver is too long");
	rest = buf_slice(&relp->in);
	while (!r && (outcome = take_answer(&rest, &answer)) != ANSWER_PART) {
		r = outcome == ANSWER_BAD
			    ? fault_set(reterr, FAULT_SERVER, "the receiver does not speak RELP")
			    : judge(relp, &answer, ret_confirmed, reterr);
	}
	if (rest.size > 0)
		memmove(relp->in.data, rest.data, rest.size);
	relp->in.size = rest.size;
	return r;
}
