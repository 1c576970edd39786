"""Explanations from a server: TensorFlow Serving over gRPC or REST, or a server of KServe's protocol."""

from tfadvpath.serving.access import Access
from tfadvpath.serving.base import Client
from tfadvpath.serving.grpc_client import GrpcClient
from tfadvpath.serving.kserve_client import KServeClient
from tfadvpath.serving.rest_client import RestClient

__all__ = ["Access", "Client", "GrpcClient", "KServeClient", "RestClient"]
