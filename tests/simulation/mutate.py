#!/usr/bin/env python3
"""mutate.py SOURCE OUTPUT: a source of the engine with the switches of its mutants (mutants.h) built in.

Each mutant is a small replacement that must fit exactly once; one that does not fit any more is told to the program, whose
test then fails, so that a changed source never makes a mutant vanish in silence."""
import pathlib
import sys

IS = "::tidecast::simulation::IsOn(::tidecast::simulation::Mutant::%s)"
PATCHES = {
    "instance.cc": [
        ("kModelOutsideTheCut", "Instance::Cut(", "model_->Save(cut.epoch, cut.state);",
         "if (!{is} || cut.epoch % 3 == 0) model_->Save(cut.epoch, cut.state);"),
        ("kSeqReused", "Status Instance::OnCommitFailed() {", "committer_->Take();",
         "if (const uint64_t failed = committer_->Take().seq; {is}) next_seq_ = failed;"),
    ],
    "instance_restore.cc": [
        ("kNextEpochKept", "Status Instance::RollBack() {", "open_outputs_.clear();", "if (!{is}) open_outputs_.clear();"),
    ],
    "series_task.cc": [
        ("kCacheNotReloaded", "SeriesTask::Reload(", "TC_RETURN_IF_ERROR(windows_->Reload(*state_));",
         "if (!{is} || !sources_[0].batch) TC_RETURN_IF_ERROR(windows_->Reload(*state_));"),
        ("kWatermarkNotRestored", "SeriesTask::Reload(", "TC_RETURN_IF_ERROR(watermarks_->Decode(watermarks));",
         "if (!{is}) TC_RETURN_IF_ERROR(watermarks_->Decode(watermarks));"),
    ],
    "block_journal.cc": [
        ("kDeltasOutdoBlocks", "Status BlockJournal::LoadDelta(", "newer_than_[number] >= delta) continue;", "newer_than_[number] >= delta && !{is}) continue;"),
    ],
    "changelog_fold.cc": [
        ("kOrphansApplied", "ChangelogFold::OnCommit(", "if (!is_own && !is_thinned) {", "if (!is_own && !is_thinned && !{is}) {"),
    ],
}


def main():
    source, output = map(pathlib.Path, sys.argv[1:])
    text = source.read_text()
    missing = []
    for name, function, old, new in PATCHES[source.name]:
        begin = text.find(function)
        end = text.find("\n}\n", begin)
        body = text[begin:end]
        if begin < 0 or body.count(old) != 1:
            missing.append(name)
            continue
        text = text[:begin] + body.replace(old, new.replace("{is}", IS % name)) + text[end:]
    text = '#include "tests/simulation/mutants.h"\n' + text
    text += "namespace tidecast::simulation {\n"
    for name in missing:
        text += f"[[maybe_unused]] static const bool kMissing_{name} = MutantIsMissing(Mutant::{name});\n"
    text += "}  // namespace tidecast::simulation\n"
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text)


main()
