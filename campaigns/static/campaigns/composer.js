// The text with its counter, the attachments and what the customer will see.
window.composer = (config) => ({
  ...uploads(),
  ...config, // upload, limit, most, attachments, kinds, problems, text, segment, policy, countUrl,
  // kindOfCampaign, chosen, tags, chatsUrl, materials
  count: { state: "none" },
  wanted: { q: "", tag: "" },
  found: { state: "none", count: 0, chats: [] },

  init() {
    this.attachments = this.attachments.map((each, number) => ({ ...each, _id: number }));
    this.nextId = this.attachments.length;
    this.$watch("attachments", () => this.write());
    this.$watch("segment", () => this.ask());
    this.$watch("chosen", () => this.writeChats());
    this.$watch("kindOfCampaign", () => this.open());
    this.write();
    this.writeChats();
    this.ask();
    this.open();
  },

  open() {
    if (this.kindOfCampaign === "groups" && this.found.state === "none") this.find();
  },

  get bytes() {
    return new TextEncoder().encode(this.text).length;
  },

  fieldsOf(attachment) {
    return this.kinds.find(({ kind }) => kind === attachment.kind)?.fields ?? [];
  },

  get texts() {
    return this.materials.filter(({ text, ready }) => text !== null && ready);
  },

  get ready() {
    return this.materials.filter(({ shown, ready }) => shown !== null && ready);
  },

  // The attachments as customers see them: materials with what stands in them now.
  get seen() {
    return this.attachments.map((each) => ({ ...(this.materialOf(each)?.shown ?? each), _id: each._id }));
  },

  materialOf(attachment) {
    return this.materials.find(({ id }) => id === attachment.material);
  },

  insert(event) {
    const material = this.materials.find(({ id }) => String(id) === event.target.value);
    event.target.value = "";
    if (!material) return;
    const at = this.$refs.text.selectionStart ?? this.text.length;
    this.text = this.text.slice(0, at) + material.text + this.text.slice(at);
  },

  attach(event) {
    const id = Number(event.target.value);
    event.target.value = "";
    if (id) this.attachments.push({ material: id, _id: this.nextId++ });
    this.problems = [];
  },

  wordsOf(attachment) {
    if (attachment.material) return this.materialOf(attachment)?.title ?? `#${attachment.material}`;
    return this.kinds.find(({ kind }) => kind === attachment.kind)?.words ?? attachment.kind;
  },

  add(kind) {
    const typed = this.fieldsOf({ kind }).filter(({ upload }) => !upload);
    const empty = Object.fromEntries(typed.map(({ name }) => [name, ""]));
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

  get reach() {
    return this.chosen.reduce((sum, { members }) => sum + members, 0);
  },

  get taken() {
    return new Set(this.chosen.map(({ id }) => id));
  },

  has(chat) {
    return this.taken.has(chat.id);
  },

  take(chat) {
    if (!this.has(chat)) this.chosen.push(chat);
  },

  drop(chat) {
    this.chosen = this.chosen.filter(({ id }) => id !== chat.id);
  },

  writeChats() {
    this.$refs.chatIds.value = JSON.stringify(this.chosen.map(({ id }) => id));
  },

  async find() {
    this.found = { ...this.found, state: "asking" };
    const asked = JSON.stringify(this.wanted);
    try {
      const told = await this.chats({});
      if (asked === JSON.stringify(this.wanted)) this.found = { state: "known", ...told };
    } catch {
      this.found = { ...this.found, state: "unknown" };
    }
  },

  async takeAll() {
    try {
      const taken = this.taken;
      const { chats } = await this.chats({ all: "1" });
      this.chosen = [...this.chosen, ...chats.filter(({ id }) => !taken.has(id))];
    } catch {
      this.found = { ...this.found, state: "unknown" };
    }
  },

  async chats(more) {
    const answer = await fetch(`${this.chatsUrl}&${new URLSearchParams({ ...this.wanted, ...more })}`);
    if (!answer.ok) throw new Error(answer.status);
    return answer.json();
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
