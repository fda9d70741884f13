"""Owns vector stores, OpenAI's and Azure's: files gathered to be searched. Nothing here is billed."""

from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.sandbox.call import Answer, Call, Fault, read_body
from gateway.sandbox.openai import Json, refuse, refuse_fault
from gateway.sandbox.openai_files import files_of
from gateway.sandbox.openai_forms import deleted, page, show
from gateway.sandbox.store import Shelf
from gateway.sandbox.text import seed_of

# https://platform.openai.com/docs/api-reference/vector-stores
STORE_FIELDS = frozenset(("chunking_strategy", "description", "expires_after", "file_ids", "metadata", "name"))
FILE_FIELDS = frozenset(("file_id", "attributes", "chunking_strategy"))
BATCH_FIELDS = frozenset(("attributes", "chunking_strategy", "file_ids", "files"))
SEARCH_FIELDS = frozenset(("query", "filters", "max_num_results", "ranking_options", "rewrite_query"))
# As the real one; a store refuses more.
FILES_MAX = 10_000
# Of a file's text, in one search result.
RESULT_CHARACTERS_MAX = 800

_STRATEGY: Json = {"type": "static", "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400}}


class StoreRequest(msgspec.Struct, frozen=True):
    name: str | None = None
    description: str | None = None
    metadata: dict[str, str] | None = None
    file_ids: list[str] = []
    expires_after: Json | None = None


class FileRequest(msgspec.Struct, frozen=True):
    file_id: str
    attributes: dict[str, str | float | bool] | None = None


class BatchRequest(msgspec.Struct, frozen=True):
    file_ids: list[str] = []
    files: list[FileRequest] = []
    attributes: dict[str, str | float | bool] | None = None

    def each(self) -> list[FileRequest]:
        return self.files or [FileRequest(name, self.attributes) for name in self.file_ids]


class SearchRequest(msgspec.Struct, frozen=True):
    query: str | list[str]
    max_num_results: Annotated[int, Meta(ge=1, le=50)] = 10


class VectorStore(msgspec.Struct):
    id: str
    request: StoreRequest
    created_s: int
    files: dict[str, FileRequest]
    sizes: dict[str, int]

    def document(self) -> Json:
        return {
            "id": self.id,
            "object": "vector_store",
            "created_at": self.created_s,
            "last_active_at": self.created_s,
            "name": self.request.name,
            "description": self.request.description,
            "status": "completed",
            "usage_bytes": sum(self.sizes.values()),
            "file_counts": _counts(len(self.files)),
            "metadata": self.request.metadata or {},
            "expires_after": self.request.expires_after,
            "expires_at": None,
        }

    def file_document(self, name: str) -> Json:
        return {
            "id": name,
            "object": "vector_store.file",
            "created_at": self.created_s,
            "usage_bytes": self.sizes[name],
            "vector_store_id": self.id,
            "status": "completed",
            "last_error": None,
            "attributes": self.files[name].attributes or {},
            "chunking_strategy": _STRATEGY,
        }


class FileBatch(msgspec.Struct, frozen=True):
    id: str
    store: str
    created_s: int
    names: list[str]

    def document(self) -> Json:
        return {
            "id": self.id,
            "object": "vector_store.files_batch",
            "created_at": self.created_s,
            "vector_store_id": self.store,
            "status": "completed",
            "file_counts": _counts(len(self.names)),
        }


def _counts(completed: int) -> Json:
    return {"in_progress": 0, "completed": completed, "failed": 0, "cancelled": 0, "total": completed}


def _stores(call: Call) -> Shelf[VectorStore]:
    return call.store.shelf(call.dialect, VectorStore)


def _found(call: Call) -> VectorStore | Answer:
    found = _stores(call).get(call.path_id)
    return found or refuse(404, f"Vector store with id '{call.path_id}' not found.", None, "vector_store_id")


def _add(call: Call, store: VectorStore, given: list[FileRequest]) -> Answer | None:
    """Why these files cannot be added; nothing: they were."""
    unknown = next((each.file_id for each in given if files_of(call).get(each.file_id) is None), None)
    if unknown:
        return refuse(404, f"No such File object: {unknown}", None, "file_id")
    if len(store.files) + len(given) > FILES_MAX:
        return refuse(400, f"A vector store holds at most {FILES_MAX} files.", None, "file_ids")
    for each in given:
        stored = files_of(call).get(each.file_id)
        assert stored is not None
        store.files[each.file_id], store.sizes[each.file_id] = each, len(stored.data)
    return None


def stores_create(call: Call) -> Answer:
    request = read_body(StoreRequest, call.request.body or b"{}", STORE_FIELDS)
    if isinstance(request, Fault):
        return refuse_fault(request)
    store = VectorStore("vs_" + call.id_hex(seed_of(request)), request, call.created_s, {}, {})
    refusal = _add(call, store, [FileRequest(name) for name in request.file_ids])
    if refusal:
        return refusal
    _stores(call).put(store.id, store)
    return show(store.document())


def stores_list(call: Call) -> Answer:
    return page(call, [store.document() for store in _stores(call)])


def stores_retrieve(call: Call) -> Answer:
    store = _found(call)
    return store if isinstance(store, Answer) else show(store.document())


def stores_delete(call: Call) -> Answer:
    store = _found(call)
    if isinstance(store, Answer):
        return store
    _stores(call).take(store.id)
    return deleted(store.id, "vector_store.deleted")


def files_create(call: Call) -> Answer:
    store = _found(call)
    if isinstance(store, Answer):
        return store
    request = read_body(FileRequest, call.request.body, FILE_FIELDS)
    if isinstance(request, Fault):
        return refuse_fault(request)
    return _add(call, store, [request]) or show(store.file_document(request.file_id))


def files_list(call: Call) -> Answer:
    store = _found(call)
    return store if isinstance(store, Answer) else page(call, [store.file_document(name) for name in store.files])


def files_retrieve(call: Call) -> Answer:
    store = _found(call)
    if isinstance(store, Answer):
        return store
    if call.path_part not in store.files:
        return refuse(404, f"No file found with id '{call.path_part}' in vector store '{store.id}'.", None, "file_id")
    return show(store.file_document(call.path_part))


def files_delete(call: Call) -> Answer:
    found = files_retrieve(call)
    if found.status == 200:
        store = _stores(call).get(call.path_id)
        assert store is not None
        del store.files[call.path_part], store.sizes[call.path_part]
        return deleted(call.path_part, "vector_store.file.deleted")
    return found


def batches_create(call: Call) -> Answer:
    store = _found(call)
    if isinstance(store, Answer):
        return store
    request = read_body(BatchRequest, call.request.body, BATCH_FIELDS)
    if isinstance(request, Fault):
        return refuse_fault(request)
    given = request.each()
    refusal = _add(call, store, given)
    if refusal:
        return refusal
    names = [each.file_id for each in given]
    batch = FileBatch("vsfb_" + call.id_hex(seed_of(store.id, names)), store.id, call.created_s, names)
    call.store.shelf(call.dialect, FileBatch).put(batch.id, batch)
    return show(batch.document())


def _batch(call: Call) -> FileBatch | Answer:
    batch = call.store.shelf(call.dialect, FileBatch).get(call.path_part)
    if batch is None or batch.store != call.path_id:
        return refuse(404, f"No file batch found with id '{call.path_part}'.", None, "batch_id")
    return batch


def batches_retrieve(call: Call) -> Answer:
    batch = _batch(call)
    return batch if isinstance(batch, Answer) else show(batch.document())


def batches_files(call: Call) -> Answer:
    batch, store = _batch(call), _found(call)
    if isinstance(batch, Answer):
        return batch
    if isinstance(store, Answer):
        return store
    return page(call, [store.file_document(name) for name in batch.names if name in store.files])


def search(call: Call) -> Answer:
    """Every file of the store is a result, the first the best."""
    store = _found(call)
    if isinstance(store, Answer):
        return store
    request = read_body(SearchRequest, call.request.body, SEARCH_FIELDS)
    if isinstance(request, Fault):
        return refuse_fault(request)
    names = list(store.files)[: request.max_num_results]
    data = [_result(call, store, name, place) for place, name in enumerate(names)]
    queries = [request.query] if isinstance(request.query, str) else request.query
    document = {"object": "vector_store.search_results.page", "search_query": queries, "data": data}
    return show({**document, "has_more": False, "next_page": None})


def _result(call: Call, store: VectorStore, name: str, place: int) -> Json:
    stored = files_of(call).get(name)
    text = stored.data.decode("utf-8", "replace")[:RESULT_CHARACTERS_MAX] if stored else ""
    return {
        "file_id": name,
        "filename": stored.filename if stored else "",
        "score": 1 / (1 + place),
        "attributes": store.files[name].attributes or {},
        "content": [{"type": "text", "text": text}],
    }
