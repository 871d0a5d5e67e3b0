// The text with its counter, the attachments and what the customer will see.
window.composer = (config) => ({
  ...config, // limit, most, attachments, kinds, problems, text, segment, policy, countUrl
  count: { state: "none" },

  init() {
    this.attachments = this.attachments.map((each, number) => ({ ...each, _id: number }));
    this.nextId = this.attachments.length;
    this.$watch("attachments", () => this.write());
    this.$watch("segment", () => this.ask());
    this.write();
    this.ask();
  },

  get bytes() {
    return new TextEncoder().encode(this.text).length;
  },

  fieldsOf(attachment) {
    return this.kinds.find(({ kind }) => kind === attachment.kind)?.fields ?? [];
  },

  wordsOf(attachment) {
    return this.kinds.find(({ kind }) => kind === attachment.kind)?.words ?? attachment.kind;
  },

  add(kind) {
    const empty = Object.fromEntries(this.fieldsOf({ kind }).map(({ name }) => [name, ""]));
    this.attachments.push({ kind, ...empty, _id: this.nextId++ });
    this.problems = [];
  },

  remove(id) {
    this.attachments = this.attachments.filter((each) => each._id !== id);
    this.problems = [];
  },

  write() {
    const bare = this.attachments.map(({ _id, ...attachment }) => attachment);
    this.$refs.attachments.value = JSON.stringify(bare);
  },

  problemAt(index, name) {
    return this.problems.find(({ path }) => path === `/attachments/${index}/${name}`)?.message ?? "";
  },

  async ask() {
    if (!this.segment) {
      this.count = { state: "none" };
      return;
    }
    const wanted = this.segment;
    this.count = { state: "asking" };
    try {
      const answer = await fetch(this.countUrl.replace("0", wanted));
      if (!answer.ok) throw new Error(answer.status);
      const told = await answer.json();
      if (wanted === this.segment) this.count = { state: "known", ...told };
    } catch {
      this.count = { state: "unknown" };
    }
  },
});
