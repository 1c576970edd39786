"""Explanations from a server: TensorFlow Serving with an exported version, over gRPC or REST."""

from tfadvpath.saved_model.client.base import Client
from tfadvpath.saved_model.client.grpc_client import GrpcClient
from tfadvpath.saved_model.client.rest_client import RestClient

__all__ = ["Client", "GrpcClient", "RestClient"]
