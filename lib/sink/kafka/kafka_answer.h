/* What became of a job, as the helper thread says it: no struct fault, since masking secrets
 * belongs to the thread of the loop. */
#ifndef TRAWLD_SINK_KAFKA_ANSWER_H
#define TRAWLD_SINK_KAFKA_ANSWER_H

#include "base/fault.h"

enum kafka_outcome {
	KAFKA_DELIVERED, /* but for the refused records of the job */
	KAFKA_RETRY,
	KAFKA_NONE_TAKEN, /* each of many records is too large */
	KAFKA_FENCED, /* another trawld with the same state has taken over */
};

struct kafka_answer {
	enum kafka_outcome outcome;
	enum fault_class class;
	char text[512]; /* why; "" if all is delivered */
	bool foreign; /* the position was of a later batch than this state knows of: of another
			 history of it */
};

/* Why a record is refused. */
#define KAFKA_TOO_LARGE                                                                            \
	"the brokers reject the record as too large (max.message.bytes of the topic)"

#endif
