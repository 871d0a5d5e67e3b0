// A rule over customers, put together without writing JSON. The grammar is the server's; this file
// only knows how to draw it, and leaves alone what it cannot draw.
(() => {
  const MODES = ["all", "any", "none"];
  let lastId = 0;

  const modeOf = (rule) => MODES.find((mode) => rule && Array.isArray(rule[mode]));

  function fromRule(rule) {
    const mode = modeOf(rule);
    if (mode) {
      return { id: ++lastId, type: "group", mode, children: rule[mode].map(fromRule) };
    }
    return { id: ++lastId, type: "condition", ...structuredClone(rule ?? {}) };
  }

  function toRule(node) {
    if (node.type === "group") return { [node.mode]: node.children.map(toRule) };
    const { id, type, ...condition } = node;
    return condition;
  }

  const pathsOf = (node, path, paths) => {
    paths[node.id] = path;
    (node.children ?? []).forEach((child, index) =>
      pathsOf(child, `${path}/${node.mode}/${index}`, paths),
    );
    return paths;
  };

  window.ruleBuilder = (config) => ({
    ...config, // fields, options, previewUrl, csrf
    root: null,
    advanced: false,
    json: "",
    jsonError: false,
    preview: { state: "waiting" },
    problems: config.problems ?? [],
    timer: null,
    asked: 0,

    init() {
      // A rule of a larger form comes as `initial` and goes to `onRule`.
      let rule = config.onRule ? JSON.parse(JSON.stringify(config.initial ?? null)) : null;
      try {
        if (!config.onRule) rule = JSON.parse(this.$refs.rule.value || "null");
      } catch {
        this.advanced = true;
        this.json = this.$refs.rule.value;
      }
      this.root = fromRule(modeOf(rule) ? rule : { all: rule ? [rule] : [] });
      this.write();
    },

    // Called after every change.
    write() {
      const rule = toRule(this.root);
      if (config.onRule) config.onRule(JSON.parse(JSON.stringify(rule)));
      else this.$refs.rule.value = JSON.stringify(rule);
      if (!this.advanced) this.json = JSON.stringify(rule, null, 2);
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.ask(rule), 350);
    },

    writeJson() {
      try {
        const rule = JSON.parse(this.json);
        this.root = fromRule(modeOf(rule) ? rule : { all: [rule] });
        this.jsonError = false;
        this.write();
      } catch {
        this.jsonError = true;
        this.$refs.rule.value = this.json;
      }
    },

    async ask(rule) {
      const number = ++this.asked;
      this.preview = { ...this.preview, state: "asking" };
      try {
        const answer = await fetch(this.previewUrl, {
          method: "POST",
          headers: { "Content-Type": "application/json", "X-CSRFToken": this.csrf },
          body: JSON.stringify({ rule }),
        });
        const told = await answer.json();
        if (number !== this.asked) return; // a newer question is on its way
        this.problems = told.errors ?? [];
        this.preview = { state: told.errors?.length ? "wrong" : "known", ...told };
      } catch {
        if (number === this.asked) this.preview = { state: "unreachable" };
      }
    },

    problemsAt(node) {
      const paths = pathsOf(this.root, "/rule", {});
      const own = paths[node.id];
      const deeper = node.type === "group" ? new Set(Object.values(paths)) : new Set();
      const here = this.problems
        .filter(({ path }) => {
          if (path === own) return true;
          if (!path.startsWith(`${own}/`)) return false;
          // The innermost node that contains the place shows the problem.
          return ![...deeper].some(
            (other) => other !== own && other.startsWith(`${own}/`) && (path === other || path.startsWith(`${other}/`)),
          );
        })
        .map(({ message }) => message);
      return [...new Set(here)];
    },

    addCondition(group, field = "tags") {
      group.children.push({ id: ++lastId, type: "condition", ...this.fresh(field) });
      this.write();
    },

    addGroup(group) {
      group.children.push({ id: ++lastId, type: "group", mode: "any", children: [] });
      this.write();
    },

    remove(node, parent = this.root) {
      parent.children = parent.children.filter((child) => child.id !== node.id);
      for (const child of parent.children) if (child.type === "group") this.remove(node, child);
      if (parent === this.root) this.write();
    },

    // --- one condition -----------------------------------------------------------------------
    known(node) {
      return node.field in this.fields && node.op in this.fields[node.field].ops;
    },

    fresh(field) {
      const op = Object.keys(this.fields[field].ops)[0];
      return { field, op, ...this.emptyValue(field, op) };
    },

    emptyValue(field, op) {
      const kind = this.fields[field].ops[op].value;
      if (kind === "none") return {};
      if (kind === "days") return { value: 30 };
      if (kind === "range") return { value: ["", ""] };
      return { value: [] };
    },

    setField(node, field) {
      delete node.value;
      Object.assign(node, this.fresh(field));
      this.write();
    },

    setOp(node, op) {
      const before = this.valueKind(node);
      node.op = op;
      if (this.valueKind(node) !== before) {
        delete node.value;
        Object.assign(node, this.emptyValue(node.field, op));
      }
      this.write();
    },

    valueKind(node) {
      return this.fields[node.field]?.ops[node.op]?.value;
    },

    describeUnknown(node) {
      return JSON.stringify(toRule(node));
    },

    optionsOf(node) {
      return this.options[node.field] ?? [];
    },

    // A condition is redrawn while its field changes: its value may still be the former one's.
    chosen(node) {
      return Array.isArray(node.value) ? node.value : [];
    },

    labelOf(node, value) {
      return this.optionsOf(node).find((option) => option.value === value)?.label ?? String(value);
    },

    matching(node, typed) {
      const wanted = typed.trim().toLowerCase();
      const chosen = new Set(this.chosen(node));
      const found = this.optionsOf(node).filter(
        ({ value, label, note }) =>
          !chosen.has(value) && (!wanted || `${label} ${note ?? ""}`.toLowerCase().includes(wanted)),
      );
      return found.slice(0, 60);
    },

    pick(node, value) {
      node.value = [...node.value, value];
      this.write();
    },

    unpick(node, value) {
      node.value = node.value.filter((other) => other !== value);
      this.write();
    },

    // A date is the whole day in the corp's time zone; an older rule may hold moments.
    dayOf(value) {
      return (value ?? "").slice(0, 10);
    },

    setDay(node, index, day) {
      node.value = node.value.map((old, place) => (place === index ? day : old));
      this.write();
    },
  });
})();
