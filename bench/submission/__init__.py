"""Ranked lists, or generated texts, made elsewhere -> checked, scored records of this board."""

from bench.submission.card import ModelCard, parse_card, read_card
from bench.submission.controls import COMMAND_LINE, Choices, Controls
from bench.submission.reading import FORMATS
from bench.submission.report import Finding, Report, SubmissionError
from bench.submission.score import Entry, Submission, build_record, known_lists, read_submission

__all__ = [
    "COMMAND_LINE",
    "FORMATS",
    "Choices",
    "Controls",
    "Entry",
    "Finding",
    "ModelCard",
    "Report",
    "Submission",
    "SubmissionError",
    "build_record",
    "known_lists",
    "parse_card",
    "read_card",
    "read_submission",
]
