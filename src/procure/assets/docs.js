// Starts Swagger UI on the page at /docs. A file of its own, since the page's policy runs no script that stands in the page.

// The document's example of an Idempotency-Key is filled in for every act; sent twice it would be one act's key for another.
const EXAMPLE_KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324";
// So is its example of a tag: whoever acts here has read the resource here, and it is that read's tag which is sent.
const EXAMPLE_TAG = '"yP6c0qUq3dJp1nXk"';
const tagsRead = new Map();
const pathOf = (url) => new URL(url, location.href).pathname;

SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  docExpansion: "none",
  defaultModelsExpandDepth: 0,
  tryItOutEnabled: true,
  validatorUrl: null,
  requestInterceptor(request) {
    if (request.headers["Idempotency-Key"] === EXAMPLE_KEY) {
      const bytes = crypto.getRandomValues(new Uint8Array(16));
      request.headers["Idempotency-Key"] = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    }
    if (request.headers["If-Match"] === EXAMPLE_TAG) {
      const path = pathOf(request.url);
      // An act stands under the resource that it is held against; an edit is sent to it.
      const tag = tagsRead.get(request.method === "POST" ? path.replace(/\/[^/]*$/, "") : path);
      if (tag) request.headers["If-Match"] = tag;
      else delete request.headers["If-Match"];
    }
    return request;
  },
  responseInterceptor(response) {
    const tag = response.headers?.etag;
    if (tag) tagsRead.set(pathOf(response.url), tag);
    return response;
  },
});
