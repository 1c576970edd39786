"""The server's configurations, parsed as messages with the fields that TensorFlow Serving has.

Its package brings the messages of models.config, but neither BatchingParameters nor MonitoringConfig: those
are built here from their fields in session_bundle_config.proto and monitoring_config.proto.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2
from tensorflow_serving.config import model_server_config_pb2

KIT = Path(__file__).parents[2] / "export"
FIELD = descriptor_pb2.FieldDescriptorProto
INT64_VALUE, STRING_VALUE = ".google.protobuf.Int64Value", ".google.protobuf.StringValue"
# Name and type: of protobuf, or of a message.
BATCHING = {
    "max_batch_size": INT64_VALUE,
    "batch_timeout_micros": INT64_VALUE,
    "max_enqueued_batches": INT64_VALUE,
    "num_batch_threads": INT64_VALUE,
    "thread_pool_name": STRING_VALUE,
    "allowed_batch_sizes": FIELD.TYPE_INT64,  # repeated
    "pad_variable_length_inputs": FIELD.TYPE_BOOL,
}
MONITORING = {"prometheus_config": ".tensorflow.serving.PrometheusConfig"}
PROMETHEUS = {"enable": FIELD.TYPE_BOOL, "path": FIELD.TYPE_STRING}
# Of tensorflow_model_server, from its main.cc.
FLAGS = """
port grpc_socket_path rest_api_port rest_api_num_threads rest_api_timeout_in_ms rest_api_enable_cors_support
enable_batching allow_version_labels_for_unavailable_models batching_parameters_file
enable_per_model_batching_parameters model_config_file model_config_file_poll_wait_seconds model_name
model_base_path num_load_threads num_unload_threads max_num_load_retries load_retry_interval_micros
file_system_poll_wait_seconds flush_filesystem_caches tensorflow_session_parallelism
tensorflow_session_config_file tensorflow_intra_op_parallelism tensorflow_inter_op_parallelism
use_alts_credentials ssl_config_file platform_config_file per_process_gpu_memory_fraction saved_model_tags
grpc_channel_arguments grpc_max_threads enable_model_warmup num_request_iterations_for_warmup version
monitoring_config_file remove_unused_fields_from_bundle_metagraph prefer_tflite_model num_tflite_pools
num_tflite_interpreters_per_pool enable_signature_method_name_check xla_cpu_compilation_enabled
xla_gpu_compilation_enabled enable_profiler thread_pool_factory_config_file
"""


@pytest.fixture(scope="module")
def messages():
    """The message classes by name."""
    described = {
        "BatchingParameters": BATCHING,
        "MonitoringConfig": MONITORING,
        "PrometheusConfig": PROMETHEUS,
    }
    file = descriptor_pb2.FileDescriptorProto(
        name="configurations.proto", package="tensorflow.serving", syntax="proto3"
    )
    file.dependency.append(wrappers_pb2.DESCRIPTOR.name)
    for name, fields in described.items():
        message = file.message_type.add(name=name)
        for number, (field, kind) in enumerate(fields.items(), start=1):
            label = FIELD.LABEL_REPEATED if field == "allowed_batch_sizes" else FIELD.LABEL_OPTIONAL
            about = (
                {"type_name": kind, "type": FIELD.TYPE_MESSAGE} if isinstance(kind, str) else {"type": kind}
            )
            message.field.add(name=field, number=number, label=label, **about)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"tensorflow.serving.{name}"))
        for name in described
    }


def parse(path, kind):
    return text_format.Parse(path.read_text(), kind())


def test_a_version_says_its_batches_and_leaves_the_threads_to_the_server(messages, exported):
    parameters = parse(exported / "batching_params.pbtxt", messages["BatchingParameters"])
    assert list(parameters.allowed_batch_sizes) == [1, 3]
    assert parameters.max_batch_size.value == 3  # must be the last of the allowed ones
    assert parameters.batch_timeout_micros.value > 0
    # 8 batches of half a minute wait four minutes, the clients wait ten.
    assert parameters.max_enqueued_batches.value == 8
    assert not parameters.HasField("num_batch_threads")
    assert not parameters.HasField("thread_pool_name")


def test_the_server_says_the_threads_alone(messages):
    parameters = parse(KIT / "batching.config", messages["BatchingParameters"])
    assert {field.name for field, _ in parameters.ListFields()} == {"thread_pool_name", "num_batch_threads"}
    assert parameters.num_batch_threads.value == 1


def test_figures_are_given_where_the_readme_looks_for_them(messages):
    monitoring = parse(KIT / "monitoring.config", messages["MonitoringConfig"])
    assert monitoring.prometheus_config.enable
    assert f"8501{monitoring.prometheus_config.path}" in (KIT / "README.md").read_text()


def test_a_field_that_the_server_does_not_have_is_found(messages):
    with pytest.raises(text_format.ParseError, match='no field named "max_batch"'):
        text_format.Parse("max_batch { value: 3 }", messages["BatchingParameters"]())


@pytest.mark.parametrize("path", sorted(KIT.glob("models*.config")), ids=lambda path: path.name)
def test_every_label_means_a_version_that_no_export_unloads(path):
    config = parse(path, model_server_config_pb2.ModelServerConfig)
    (model,) = config.model_config_list.config
    assert model.base_path == f"/models/{model.name}"
    policy = model.model_version_policy
    assert policy.WhichOneof("policy_choice") == "specific"
    assert set(model.version_labels.values()) <= set(policy.specific.versions)
    # What the clients of the kit ask for.
    assert model.version_labels["stable"] == 1


def test_the_servers_are_started_with_flags_that_they_have():
    for service in yaml.safe_load((KIT / "compose.yaml").read_text())["services"].values():
        names = [flag.removeprefix("--").partition("=")[0] for flag in service["command"]]
        assert set(names) <= set(FLAGS.split())
        assert len(names) == len(set(names))
