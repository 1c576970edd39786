"""What /proc/cpuinfo says of made-up processors."""

from __future__ import annotations

import pytest

from tfadvpath.doctor.processor import processor_rows, read_cpuinfo

X86 = """processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) Platinum 8480+
flags\t\t: fpu sse2 avx avx2 {}

processor\t: 1
model name\t: another
"""
ARM = "processor\t: 0\nFeatures\t: fp asimd {}\n"


def named(*arguments, **options):
    return {row.name: row for row in processor_rows(*arguments, **options)}


@pytest.mark.parametrize(
    ("flags", "there"),
    [
        ("", (True, False, False, False)),
        ("avx512f", (True, True, False, False)),
        ("avx512f avx512_bf16", (True, True, True, False)),
        ("avx512f avx512_bf16 amx_tile amx_bf16", (True, True, True, True)),
    ],
)
def test_the_instructions_for_bfloat16_are_found(flags, there):
    rows = named(X86.format(flags), usable=2, machine="x86_64")
    assert tuple(rows[name].value for name in ("AVX2", "AVX-512", "AVX512_BF16", "AMX_BF16")) == there
    assert rows["model"].value == "Intel(R) Xeon(R) Platinum 8480+"
    assert not any(row.fault for row in rows.values())


def test_each_instruction_says_what_it_means():
    without, with_it = (
        named(X86.format(flags), usable=2, machine="x86_64")["AMX_BF16"] for flags in ("", "amx_bf16")
    )
    assert without.shown.startswith("no: no tiles")
    assert with_it.shown.startswith("yes: whole tiles of bfloat16")


@pytest.mark.parametrize("machine", ["aarch64", "arm64"])
def test_processors_of_arm_have_their_own_names(machine):
    rows = named(ARM.format("bf16"), usable=2, machine=machine)
    assert [rows[name].value for name in ("NEON", "SVE", "BF16")] == [True, False, True]
    assert "AVX2" not in rows


def test_a_processor_without_avx_cannot_run_tensorflow():
    rows = named("model name: old\nflags: fpu sse2", usable=2, machine="x86_64")
    assert rows["AVX"].fault.is_needed


def test_nothing_is_made_up_where_nothing_is_said():
    rows = named("", usable=2, machine="riscv64")
    assert rows["model"].value == "riscv64"
    assert rows["instructions"].value is None


def test_a_share_of_the_cores_is_a_fault_until_the_threads_are_fewer():
    rows = named(X86.format(""), usable=16, quota=1.5, machine="x86_64", environment={})
    assert rows["cores by control group"].fault.remedy == (
        "export TF_NUM_INTRAOP_THREADS=2 OMP_NUM_THREADS=2"
    )
    told = {"TF_NUM_INTRAOP_THREADS": "2"}
    rows = named(X86.format(""), usable=16, quota=1.5, machine="x86_64", environment=told)
    assert rows["cores by control group"].fault is None
    assert "cores by control group" not in named(X86.format(""), usable=2, quota=2.0, machine="x86_64")


def test_this_machine_has_a_processor():
    rows = {row.name: row for row in processor_rows(read_cpuinfo())}
    assert rows["cores"].value >= 1
    assert rows["model"].value
