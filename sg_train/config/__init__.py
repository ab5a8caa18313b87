"""The settings of an experiment, all declared in `sections`."""

from sg_train.config.loading import (
    Config,
    absolute_pattern,
    differences,
    settings,
    settings_table,
)
from sg_train.config.sections import (
    CheckpointConfig,
    CorpusConfig,
    DistributedConfig,
    EvaluationConfig,
    ExportConfig,
    ModelConfig,
    Range,
    SamplingConfig,
    SweepConfig,
    TrainingConfig,
    TuneConfig,
    VocabularyConfig,
)

__all__ = [
    "CheckpointConfig",
    "Config",
    "CorpusConfig",
    "DistributedConfig",
    "EvaluationConfig",
    "ExportConfig",
    "ModelConfig",
    "Range",
    "SamplingConfig",
    "SweepConfig",
    "TrainingConfig",
    "TuneConfig",
    "VocabularyConfig",
    "absolute_pattern",
    "differences",
    "settings",
    "settings_table",
]
