// Starts GraphiQL with the configuration that the page carries.
(function () {
  "use strict";
  const config = JSON.parse(document.getElementById("config").textContent);
  // Style elements that are added later carry the nonce of the page's policy.
  globalThis.__webpack_nonce__ = config.nonce;

  // Every set of tabs has its own storage, so that new examples are shown.
  const prefix = "testamur:" + config.storage + ":";
  const storage = {
    getItem: (key) => localStorage.getItem(prefix + key),
    setItem: (key, value) => localStorage.setItem(prefix + key, value),
    removeItem: (key) => localStorage.removeItem(prefix + key),
    get length() {
      return Object.keys(localStorage).filter((key) => key.startsWith(prefix)).length;
    },
    clear() {
      Object.keys(localStorage).filter((key) => key.startsWith(prefix)).forEach((key) => localStorage.removeItem(key));
    },
  };

  function subscribes(params, options) {
    const operations = ((options && options.documentAST) || { definitions: [] }).definitions.filter(
      (d) => d.kind === "OperationDefinition",
    );
    const chosen = operations.find((d) => d.name && d.name.value === params.operationName) || operations[0];
    return chosen !== undefined && chosen.operation === "subscription";
  }

  // events are the answers of a subscription, one for each "next" event.
  async function* events(response) {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      rest += value;
      const blocks = rest.split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) {
        const data = block.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trim()).join("\n");
        if (data) yield JSON.parse(data);
      }
    }
  }

  async function fetcher(params, options) {
    const stream = subscribes(params, options);
    const response = await fetch(config.endpoint, {
      method: "POST",
      credentials: "omit",
      headers: {
        "Content-Type": "application/json",
        Accept: stream ? "text/event-stream" : "application/graphql-response+json",
        ...((options && options.headers) || {}),
      },
      body: JSON.stringify(params),
    });
    if ((response.headers.get("Content-Type") || "").startsWith("text/event-stream")) return events(response);
    return response.json();
  }

  const element = document.getElementById("graphiql");
  element.textContent = "";
  ReactDOM.createRoot(element).render(
    React.createElement(GraphiQL, {
      fetcher,
      storage,
      defaultTabs: config.tabs,
      defaultHeaders: config.headers || undefined,
      defaultEditorToolsVisibility: true,
      shouldPersistHeaders: false,
      showPersistHeadersSettings: false,
    }),
  );
})();
