/*
 * Request bodies: a JSON document is parsed once into nodes; the values of variables go into the
 * tree, never into the text, so nothing that a cursor or a parameter holds can change the body's
 * structure. Numbers keep what jansson prints for them: they are the definition author's, not a
 * record's.
 */
#include "definition/template.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/mem.h"
#include "definition/template_internal.h"

#include <jansson.h>

enum node_kind { NODE_OBJECT, NODE_ARRAY, NODE_TEMPLATE, NODE_RAW };

struct node {
	enum node_kind kind;
	char *key; /* encoded with quotes, inside an object */
	char *raw; /* NODE_RAW: JSON text */
	struct template *template;
	struct node *children;
	size_t n_children;
};

struct json_template {
	struct node root;
};

struct parse {
	template_known_fn known;
	void *userdata;
	char **reterr;
};

static void node_deinit(struct node *node)
{
	free(node->key);
	free(node->raw);
	template_free(node->template);
	for (size_t i = 0; i < node->n_children; i++)
		node_deinit(&node->children[i]);
	free(node->children);
}

static int node_parse(struct node *node, json_t *value, const struct parse *parse);

static int node_parse_object(struct node *node, json_t *value, const struct parse *parse)
{
	const char *key;
	json_t *member;
	node->kind = NODE_OBJECT;
	node->children = mem_array(json_object_size(value), sizeof(struct node));
	json_object_foreach(value, key, member)
	{
		if (strstr(key, "${")) {
			*parse->reterr = mem_printf(
				"a variable cannot be part of a member's name: `%s`", key);
			return TEMPLATE_E_SYNTAX;
		}
		struct node *child = &node->children[node->n_children++];
		struct buf text = BUF_NULL;
		json_encode(slice_of(key), &text);
		child->key = buf_take(&text);
		int r = node_parse(child, member, parse);
		if (r)
			return r;
	}
	return 0;
}

static int node_parse_array(struct node *node, json_t *value, const struct parse *parse)
{
	size_t index;
	json_t *element;
	node->kind = NODE_ARRAY;
	node->children = mem_array(json_array_size(value), sizeof(struct node));
	json_array_foreach(value, index, element)
	{
		int r = node_parse(&node->children[node->n_children++], element, parse);
		if (r)
			return r;
	}
	return 0;
}

static int node_parse(struct node *node, json_t *value, const struct parse *parse)
{
	if (json_is_object(value))
		return node_parse_object(node, value, parse);
	if (json_is_array(value))
		return node_parse_array(node, value, parse);
	if (json_is_string(value)) {
		node->kind = NODE_TEMPLATE;
		return template_parse(&node->template, json_string_value(value), parse->known,
			parse->userdata, parse->reterr);
	}
	node->kind = NODE_RAW;
	char *raw = json_dumps(value, JSON_ENCODE_ANY);
	node->raw = mem_strdup(raw);
	free(raw);
	return 0;
}

int json_template_parse(struct json_template **ret, const char *text, template_known_fn known,
	void *userdata, char **reterr)
{
	json_error_t error;
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	if (!root) {
		*reterr = mem_printf("not JSON: %s near column %d", error.text, error.column);
		return TEMPLATE_E_SYNTAX;
	}
	struct json_template *template = MEM_NEW(struct json_template);
	struct parse parse = {known, userdata, reterr};
	int r = node_parse(&template->root, root, &parse);
	json_decref(root);
	if (r) {
		json_template_free(template);
		return r;
	}
	*ret = template;
	return 0;
}

void json_template_free(struct json_template *template)
{
	if (!template)
		return;
	node_deinit(&template->root);
	free(template);
}

static nsec_t node_time_step(const struct node *node)
{
	nsec_t step = node->template ? template_time_step(node->template) : 0;
	for (size_t i = 0; i < node->n_children; i++) {
		nsec_t inner = node_time_step(&node->children[i]);
		if (inner > step)
			step = inner;
	}
	return step;
}

nsec_t json_template_time_step(const struct json_template *template)
{
	return node_time_step(&template->root);
}

static bool node_uses(const struct node *node, const char *name)
{
	if (node->template && template_uses(node->template, name))
		return true;
	for (size_t i = 0; i < node->n_children; i++)
		if (node_uses(&node->children[i], name))
			return true;
	return false;
}

bool json_template_uses(const struct json_template *template, const char *name)
{
	return node_uses(&template->root, name);
}

/* TEMPLATE_E_ABSENT: nothing was written and the member is to be left out. */
static int node_render(
	const struct node *node, template_lookup_fn lookup, void *userdata, struct buf *out)
{
	if (node->kind == NODE_RAW) {
		buf_append_text(out, node->raw);
		return 0;
	}
	if (node->kind == NODE_TEMPLATE)
		return template_render_json(node->template, lookup, userdata, out);
	bool lost = false;
	size_t n = 0;
	buf_append_char(out, node->kind == NODE_OBJECT ? '{' : '[');
	for (size_t i = 0; i < node->n_children; i++) {
		struct buf value CLEANUP(buf_deinit) = BUF_NULL;
		int r = node_render(&node->children[i], lookup, userdata, &value);
		if (r == TEMPLATE_E_ABSENT) {
			lost = true;
			continue;
		}
		if (r)
			return r;
		if (n++)
			buf_append_char(out, ',');
		if (node->children[i].key)
			buf_printf(out, "%s:", node->children[i].key);
		buf_append_slice(out, buf_slice(&value));
	}
	buf_append_char(out, node->kind == NODE_OBJECT ? '}' : ']');
	return n == 0 && lost ? TEMPLATE_E_ABSENT : 0;
}

int json_template_render(const struct json_template *template, template_lookup_fn lookup,
	void *userdata, struct buf *out)
{
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	int r = node_render(&template->root, lookup, userdata, &text);
	if (r == TEMPLATE_E_ABSENT)
		return buf_append_text(out, "{}");
	if (!r)
		buf_append_slice(out, buf_slice(&text));
	return r;
}
