/*
 * Sources that differ in one parameter only: [source NAME] with `each.KEY = A, B` stands for
 * [source NAME.A] with `KEY = A` and [source NAME.B] with `KEY = B`. Each of them is a source like
 * any other, with a cursor of its own.
 */
#ifndef TRAWLD_CONF_EACH_H
#define TRAWLD_CONF_EACH_H

#include "conf/ini.h"

/* Appends these sections; the section that has the key stays, and is to be passed over. */
void each_expand(struct ini *ini, struct findings *findings);
bool each_is_expanded(const struct ini_section *section);

#endif
