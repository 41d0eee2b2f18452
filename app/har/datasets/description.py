"""How a data set is made of a lab's own recordings: where each recording's label and subject come from."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer, model_validator
from typing_extensions import Self

from app.har.datasets.name_patterns import PatternFault, name_pattern
from app.har.documents import Document, refusal
from app.har.recordings.mappings.mapping import ColumnMapping

Clock = Literal["start", "file"]
MAX_LEVEL = 20


class Source(Document):
    """Where the label, or the subject, of each recording comes from."""

    kind: str

    @model_serializer(mode="wrap")
    def _with_kind(self, keys: SerializerFunctionWrapHandler) -> dict[str, object]:
        return {"from": self.kind, **keys(self)}


class FromColumn(Source):
    """The file itself says it: in a column of a mapping, or as its known layout does."""

    kind: Literal["column"] = Field(default="column", alias="from")


class FromFolder(Source):
    """A folder's name."""

    kind: Literal["folder"] = Field(default="folder", alias="from")
    # 1 is the folder that the file is in, 2 the one around that
    level: int = Field(default=1, ge=1, le=MAX_LEVEL, description=f"a whole number from 1 to {MAX_LEVEL}")


class FromName(Source):
    """The file's name; see `name_patterns.NamePattern`."""

    kind: Literal["name"] = Field(default="name", alias="from")
    pattern: str = Field(description="a pattern such as {subject}_{label}.csv")

    @field_validator("pattern")
    @classmethod
    def _well_formed(cls, text: str) -> str:
        try:
            name_pattern(text)
        except PatternFault as fault:
            raise refusal(fault.expected, fault.found) from fault
        return text


class FromTable(Source):
    """A separate table; see `label_table`."""

    kind: Literal["table"] = Field(default="table", alias="from")
    table: str = Field(description="the name of a file of the data set")


class OneForAll(Source):
    """It is the same for all recordings."""

    kind: Literal["one"] = Field(default="one", alias="from")
    value: str = Field(description="the subject's name")


class LabelledLater(Source):
    """Nothing says it, or not of all: people label the stretches later, on a page of their own."""

    kind: Literal["later"] = Field(default="later", alias="from")


LabelSource = FromColumn | FromFolder | FromName | FromTable | LabelledLater
AnnotationSource = FromColumn | FromFolder | FromName | FromTable | OneForAll


class Description(Document):
    """How to make a data set of recordings."""

    label: LabelSource = Field(
        discriminator="kind", description="the key from (column, folder, name, table or later), and what belongs to it"
    )
    subject: AnnotationSource = Field(
        discriminator="kind",
        description="the key from (column, folder, name, table or one), and what belongs to it",
    )
    columns: ColumnMapping | None = Field(default=None, description="a mapping of columns: the keys time and sensors")
    # Of the intervals of a table: seconds from the recording's start, or the file's own time
    clock: Clock = Field(default="start", description=f"one of {', '.join(get_args(Clock))}")

    @model_validator(mode="after")
    def _sources_tell_it(self) -> Self:
        for part, source in (("label", self.label), ("subject", self.subject)):
            if isinstance(source, FromName) and part not in name_pattern(source.pattern).words:
                raise refusal(f"a pattern with {{{part}}} in it", source.pattern, f"{part}.pattern")
            if isinstance(source, FromColumn) and self.columns and getattr(self.columns, part) is None:
                because = f"the column that holds the {part}, because {part}.from is column"
                raise refusal(because, key=f"columns.{part}")
        return self
