"""What ``tfadvpath train`` runs: recipes and stages."""
