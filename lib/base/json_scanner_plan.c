/* Making the plan of a scanner. */
#include "base/json_scanner_internal.h"

#include "base/mem.h"

static struct trie *trie_child(struct trie *node, const struct pointer_token *token, bool any)
{
	for (size_t i = 0; i < node->n_children; i++)
		if (node->children[i].any == any && node->children[i].size == token->size &&
			memcmp(node->children[i].name, token->name, token->size) == 0)
			return &node->children[i];
	node->children = mem_resize(node->children, (node->n_children + 1) * sizeof(struct trie));
	struct trie *child = &node->children[node->n_children++];
	*child = (struct trie){.name = mem_strndup(token->name, token->size),
		.size = token->size,
		.index = token->index,
		.any = any,
		.below_any = any || node->below_any};
	return child;
}

static void trie_want(struct trie *node, const struct pointer *pointer, size_t slot)
{
	for (size_t i = 0; i < pointer->n_tokens; i++)
		node = trie_child(node, &pointer->tokens[i], false);
	node->slots = mem_resize(node->slots, (node->n_slots + 1) * sizeof(size_t));
	node->slots[node->n_slots++] = slot;
}

static bool is_any(const struct pointer_token *token)
{
	return token->size == 1 && token->name[0] == '*';
}

static void trie_want_records(
	struct json_scanner *plan, const struct pointer *pointer, unsigned number)
{
	size_t n = pointer->n_tokens;
	struct trie *node = &plan->envelope;
	bool members = n > 0 && is_any(&pointer->tokens[n - 1]);
	node->n_records++;
	for (size_t i = 0; i < n - members; i++) {
		node = trie_child(node, &pointer->tokens[i], is_any(&pointer->tokens[i]));
		node->n_records++;
	}
	node->records = true;
	node->members |= members;
	node->number = number;
	plan->several |= number > 0 || node->below_any;
}

static void trie_deinit(struct trie *node)
{
	for (size_t i = 0; i < node->n_children; i++)
		trie_deinit(&node->children[i]);
	free(node->children);
	free(node->slots);
	free(node->name);
}

struct json_scanner *json_scanner_new(const struct json_scanner_wanted *wanted)
{
	struct json_scanner *plan = MEM_NEW(struct json_scanner);
	plan->n_envelope = wanted->n_envelope;
	plan->n_fields = wanted->n_fields;
	plan->lines = wanted->lines;
	for (size_t i = 0; i < wanted->n_envelope; i++)
		trie_want(&plan->envelope, wanted->envelope[i], i);
	for (size_t i = 0; i < wanted->n_fields; i++)
		trie_want(&plan->element, wanted->fields[i], i);
	for (size_t i = 0; wanted->records && !wanted->lines &&
			   (i == 0 || (i < wanted->n_records && i < JSON_SCANNER_MAX_ARRAYS));
		i++)
		trie_want_records(plan, &wanted->records[i], (unsigned)i);
	return plan;
}

void json_scanner_free(struct json_scanner *plan)
{
	if (!plan)
		return;
	trie_deinit(&plan->envelope);
	trie_deinit(&plan->element);
	free(plan);
}
