import json
from pathlib import Path

import pytest

from sg_train.errors import RunError
from sg_train.runs.directory import RunDirectory
from sg_train.system.launch import Launch
from sg_train.vectors.drift import Drift
from tests.building import a_record


def test_a_record_is_given_back_and_one_of_before_the_first_version_is_read() -> None:
    run = RunDirectory(Path())
    record = a_record(
        launch=Launch("job", ("host", 3, None)),
        drift=Drift(5, 0.5, None),
        first_learning_rate=0.05,
        output_vectors_given=False,
    )
    record.save(run.record_file)
    assert run.load_record() == record
    content = json.loads(run.record_file.read_text())
    assert (content.pop("format"), content.pop("version")) == ("sg-train run", 1)
    run.record_file.write_text(json.dumps({**content, "launch": None}))
    assert run.load_record() == record.replaced(launch=None)
    run.record_file.write_text(json.dumps({**content, "version": 9}))
    with pytest.raises(RunError, match="run.json: has format sg-train run 9, but"):
        run.load_record()
