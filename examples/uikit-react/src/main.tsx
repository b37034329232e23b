import { createRoot } from 'react-dom/client'

import { App } from './App'
import '@sendbird/uikit-react/dist/index.css'
import './app.css'

const root = document.getElementById('root')
if (!root) throw new Error('index.html has no #root')
// Without StrictMode: mounting twice would connect twice.
createRoot(root).render(<App />)
