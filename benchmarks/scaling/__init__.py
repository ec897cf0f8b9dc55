"""What ``scale.py`` runs in processes and folders of their own."""
