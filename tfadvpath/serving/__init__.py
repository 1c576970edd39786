"""Explanations from a server: TensorFlow Serving with an exported version, over gRPC or REST."""

from tfadvpath.serving.base import Client
from tfadvpath.serving.grpc_client import GrpcClient
from tfadvpath.serving.rest_client import RestClient

__all__ = ["Client", "GrpcClient", "RestClient"]
