"""What test_page.py asks of the page, in the page's own language."""

# Every row as a reader meets it, in the order of the page, and the bars of its plot.
SHOWN = """
const bars = (path) => {
	const found = new Array(60).fill(0);
	for (const [, at, height] of path.getAttribute("d")?.matchAll(/M(\\d+) 20v-([\\d.]+)h/g) ?? [])
		found[at] = Number(height);
	return found;
};
const text = (row, name) => row.querySelector(":scope > ." + name)?.textContent;
return [...document.querySelectorAll("#" + arguments[0] + " tbody tr")].map((row) => ({
	name: row.querySelector("th b").textContent, type: row.querySelector("th small").textContent,
	level: row.dataset.level, state: row.dataset.state, word: text(row, "state"),
	error: row.querySelector(".error").hidden ? null : text(row, "error"),
	note: row.querySelector(".note").hidden ? null : text(row, "note"),
	hidden: row.hidden, bars: row.querySelector("path") ? bars(row.querySelector("path")) : null,
	...Object.fromEntries(["behind", "newest", "hour > span", "new", "duplicates", "errors", "success", "next", "unsent",
		"oldest", "delivered", "rejected", "retries"].map((name) => [name.split(" ")[0], text(row, name)])),
}));
"""

# The texts whose contrast with what is behind them is below 4.5 (the plots': below 3).
PALE = """
const part = (c) => ((c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
const parse = (text) => text.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
const ground = (node) => {
	for (; node; node = node.parentElement) {
		const [r, g, b, a] = parse(getComputedStyle(node).backgroundColor);
		if (a === undefined || a === 1)
			return [r, g, b];
	}
	return [255, 255, 255];
};
const contrast = (a, b) => {
	const [high, low] = [light(a), light(b)].sort((x, y) => y - x);
	return (high + 0.05) / (low + 0.05);
};
const pale = [];
let n = 0;
const judge = (node, colour, least, what) => {
	const found = contrast(parse(colour), ground(node));
	n++;
	if (found < least)
		pale.push(what + ": " + found.toFixed(2));
};
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
	const node = walker.currentNode.parentElement;
	if (walker.currentNode.data.trim() && node.checkVisibility() && !node.closest("script, svg"))
		judge(node, getComputedStyle(node).color, 4.5, walker.currentNode.data);
}
for (const node of document.querySelectorAll("td.number"))
	judge(node, getComputedStyle(node, "::before").color, 4.5, "label of " + node.className);
for (const node of document.querySelectorAll("path"))
	judge(node, getComputedStyle(node).fill, 3, "plot");
judge(get("find"), getComputedStyle(get("find"), "::placeholder").color, 4.5, "placeholder");
judge(get("find"), getComputedStyle(get("find")).borderTopColor, 3, "edge of the field");
return [n, pale];
"""

# Options of commands, such as --acknowledge, in which a line ends.
BROKEN = """
const found = [], range = document.createRange(), walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let node; (node = walker.nextNode());)
	for (const one of node.data.matchAll(/--[a-z-]{1,20}/g)) {
		range.setStart(node, one.index);
		range.setEnd(node, one.index + one[0].length);
		if (range.getClientRects().length > 1)
			found.push(one[0]);
	}
return found;
"""

WIDTH = "return document.documentElement.scrollWidth"
