"""Owns fine-tuning jobs, OpenAI's and Azure's: billed for the tokens they trained on when they succeed.

The model a job makes cannot be called: the sandbox has the models of its price list and no others.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.sandbox.bill import Model, Tokens
from gateway.sandbox.call import Answer, Call, Charge, Fault, read_body
from gateway.sandbox.openai import Json, refuse, refuse_fault, resolve
from gateway.sandbox.openai_files import files_of
from gateway.sandbox.openai_forms import page, show
from gateway.sandbox.store import Shelf
from gateway.sandbox.text import seed_of

# https://platform.openai.com/docs/api-reference/fine-tuning
_FIELD_LIST = "model training_file hyperparameters integrations metadata method seed suffix validation_file"
FIELDS = frozenset(_FIELD_LIST.split())
# Passes over the training file where the request leaves it open.
EPOCHS = 3
# Four bytes make a token here as everywhere in the sandbox.
BYTES_PER_TOKEN = 4


class Hyperparameters(msgspec.Struct, frozen=True):
    n_epochs: Literal["auto"] | Annotated[int, Meta(ge=1, le=50)] = "auto"
    batch_size: Literal["auto"] | int = "auto"
    learning_rate_multiplier: Literal["auto"] | float = "auto"


class Supervised(msgspec.Struct, frozen=True):
    hyperparameters: Hyperparameters = Hyperparameters()


class Method(msgspec.Struct, frozen=True):
    type: Literal["supervised"]
    supervised: Supervised = Supervised()


class JobRequest(msgspec.Struct, frozen=True):
    model: str
    training_file: str
    hyperparameters: Hyperparameters = Hyperparameters()
    method: Method | None = None
    suffix: Annotated[str, Meta(max_length=64)] | None = None
    seed: int | None = None
    validation_file: str | None = None
    metadata: dict[str, str] | None = None

    @property
    def chosen(self) -> Hyperparameters:
        return self.method.supervised.hyperparameters if self.method else self.hyperparameters


class Job(msgspec.Struct):
    """It moves on when it is asked for: `polls_left` times running, then done."""

    id: str
    request: JobRequest
    model: Model
    created_s: int
    file_tokens: int
    polls_left: int
    status: Literal["validating_files", "running", "succeeded", "cancelled"] = "validating_files"

    @property
    def trained_tokens(self) -> int:
        epochs = self.request.chosen.n_epochs
        return self.file_tokens * (EPOCHS if epochs == "auto" else epochs)

    @property
    def tuned_model(self) -> str:
        return f"ft:{self.model.version}:org-sandbox:{self.request.suffix or ''}:{self.id[-8:]}"

    def document(self) -> Json:
        done = self.status == "succeeded"
        hyperparameters = msgspec.to_builtins(self.request.chosen)
        return {
            "object": "fine_tuning.job",
            "id": self.id,
            "model": self.model.version,
            "created_at": self.created_s,
            "finished_at": self.created_s if done or self.status == "cancelled" else None,
            "fine_tuned_model": self.tuned_model if done else None,
            "organization_id": "org-sandbox",
            "result_files": [],
            "status": self.status,
            "validation_file": self.request.validation_file,
            "training_file": self.request.training_file,
            "hyperparameters": hyperparameters,
            "trained_tokens": self.trained_tokens if done else None,
            "error": None,
            "estimated_finish": None,
            "integrations": [],
            "seed": self.request.seed or 0,
            "method": {"type": "supervised", "supervised": {"hyperparameters": hyperparameters}},
            "metadata": self.request.metadata,
        }


def _jobs(call: Call) -> Shelf[Job]:
    return call.store.shelf(call.dialect, Job)


def jobs_create(call: Call) -> Answer:
    request = read_body(JobRequest, call.request.body, FIELDS)
    if isinstance(request, Fault):
        return refuse_fault(request)
    model = resolve(call, request.model, "chat")
    if isinstance(model, Answer):
        return model
    if "training" not in model.rates:
        return refuse(400, f"Model {model.name} is not available for fine-tuning.", "model_not_available", "model")
    stored = files_of(call).get(request.training_file)
    if stored is None or stored.purpose != "fine-tune":
        return refuse(400, f"invalid training_file: {request.training_file}", "invalid_training_file", "training_file")
    file_tokens = -(-len(stored.data) // BYTES_PER_TOKEN)
    name = "ftjob-" + call.id_hex(seed_of(request))
    job = Job(name, request, model, call.created_s, file_tokens, call.controls.polls)
    _jobs(call).put(job.id, job)
    return show(job.document())


def jobs_list(call: Call) -> Answer:
    return page(call, [job.document() for job in _jobs(call)])


def _found(call: Call) -> Job | Answer:
    found = _jobs(call).get(call.path_id)
    return found or refuse(404, f"Could not find fine tune: {call.path_id}", "fine_tune_not_found", "fine_tune_id")


def jobs_retrieve(call: Call) -> Answer:
    """The job, one step further. The step that ends it is billed, and no other."""
    job = _found(call)
    if isinstance(job, Answer):
        return job
    charge = _advance(job, call)
    return msgspec.structs.replace(show(job.document()), charge=charge)


def _advance(job: Job, call: Call) -> Charge | None:
    if job.status not in ("validating_files", "running"):
        return None
    if job.polls_left:
        job.status, job.polls_left = "running", job.polls_left - 1
        return None
    job.status = "succeeded"
    return Charge(job.model, Tokens(training=job.trained_tokens), call.endpoint, job.id)


def jobs_cancel(call: Call) -> Answer:
    job = _found(call)
    if isinstance(job, Answer):
        return job
    if job.status not in ("validating_files", "running"):
        return refuse(400, f"Job has already been {job.status}.", "invalid_job_state", None)
    job.status = "cancelled"
    return show(job.document())


_STORY = {
    "validating_files": ("Validating training file",),
    "running": ("Validating training file", "Fine-tuning job started"),
    "succeeded": ("Validating training file", "Fine-tuning job started", "The job has successfully completed"),
    "cancelled": ("Validating training file", "The job was cancelled"),
}


def jobs_events(call: Call) -> Answer:
    job = _found(call)
    if isinstance(job, Answer):
        return job
    return page(call, [_event(job, number, text) for number, text in enumerate(_STORY[job.status])])


def _event(job: Job, number: int, text: str) -> Json:
    return {
        "object": "fine_tuning.job.event",
        "id": f"ftevent-{seed_of(job.id, number).hex()[:24]}",
        "created_at": job.created_s,
        "level": "info",
        "message": text,
        "data": {},
        "type": "message",
    }


def jobs_checkpoints(call: Call) -> Answer:
    """One for the end, once it is reached."""
    job = _found(call)
    if isinstance(job, Answer):
        return job
    return page(call, [_checkpoint(job)] if job.status == "succeeded" else [])


def _checkpoint(job: Job) -> Json:
    return {
        "object": "fine_tuning.job.checkpoint",
        "id": f"ftckpt_{seed_of(job.id).hex()[:24]}",
        "created_at": job.created_s,
        "fine_tuned_model_checkpoint": job.tuned_model,
        "fine_tuning_job_id": job.id,
        "metrics": {"step": job.file_tokens, "train_loss": 0.5, "train_mean_token_accuracy": 0.875},
        "step_number": job.file_tokens,
    }
