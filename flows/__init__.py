"""Prefect's part: when the stages of dvc.yaml run, who watches, and what a run's page shows. No logic of the method."""
