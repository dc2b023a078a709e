"""The meal planner as an application: `turnkeeper serve mealplan.app:app`."""

import os

from mealplan.flow import flow
from turnkeeper import App, choose_store

app = App(flow, store=choose_store(os.environ).url)
